"""Names that read like firms and belong to none: the counties in front of them do not exist."""

from __future__ import annotations

from qbase.demo.world.geography import COUNTIES, Geography, Ints, county_code, read_industries
from qbase.demo.world.scenario import Streams
from qbase.tables.credit_code import ALPHABET, build_uscc

_FIRST = "恒盛瑞鑫宏嘉泰鼎凯祥华隆锦诚旭汇立永联亿森博卓尚"
_SECOND = "达源丰茂康润腾力信和澜昌业晟杰宇航泽邦伟德兴佳奥"
_SUFFIXES = (("有限公司", "厂", "实业有限公司"), ("有限公司", "科技有限公司"), ("股份有限公司", "集团有限公司"))
_N_BRANDS = len(_FIRST) * len(_SECOND)


def brand(number: int) -> str:
    """Return a brand of two characters; a third one from the second round on."""
    lap, k = divmod(number, _N_BRANDS)
    third = _SECOND[(lap - 1) % len(_SECOND)] if lap else ""
    return _FIRST[k % len(_FIRST)] + _SECOND[k // len(_FIRST)] + third


def build_names(geo: Geography, cluster: Ints, size: Ints, streams: Streams, *, stream: str = "names") -> list[str]:
    """Name firms so that no two of a county and trade share a name.

    Parameters
    ----------
    geo : Geography
        Places.
    cluster, size : numpy.ndarray, shape (F,)
        Cluster and size class of each firm.
    streams : Streams
        Random streams.
    stream : str
        ``names`` or, for names after a change, ``renames``: the two never coincide.

    Returns
    -------
    list of str
        Full names such as 清沅恒澜化纤有限公司.
    """
    rng = streams.rng(stream)
    words = [str(i["word"]) for i in read_industries()]
    places = [zh[:-1] for zh, _ in COUNTIES]
    start = int(rng.integers(0, 1000))
    pick = rng.random(len(cluster))
    seen: dict[tuple[int, str], int] = {}
    names = []
    for c, s, x in zip(cluster.tolist(), size.tolist(), pick.tolist(), strict=True):
        county, word = int(geo.county_of[c]), words[geo.industry_of[c]]
        k = seen.get((county, word), 0)
        seen[(county, word)] = k + 1
        number = 2 * ((start + 101 * k) % (_N_BRANDS // 2)) + (_N_BRANDS * (k // (_N_BRANDS // 2)))
        suffixes = _SUFFIXES[s]
        shown = brand(number + (1 if stream != "names" else 0))
        names.append(f"{places[county]}{shown}{word}{suffixes[int(x * len(suffixes))]}")
    return names


def build_codes(geo: Geography, cluster: Ints, streams: Streams) -> list[str]:
    """Give each firm a 统一社会信用代码 with right check digits under 9199xxxx."""
    scramble = streams.rng("codes").permutation(len(cluster))
    prefix = [f"91{county_code(int(k), geo.part)}" for k in range(len(COUNTIES))]
    return [
        build_uscc(prefix[geo.county_of[c]], f"MA{_base31(int(s) * 997 + 31**5)}")
        for c, s in zip(cluster.tolist(), scramble, strict=True)
    ]


def _base31(number: int) -> str:
    digits = []
    for _ in range(6):
        number, rest = divmod(number, 31)
        digits.append(ALPHABET[rest])
    return "".join(reversed(digits))
