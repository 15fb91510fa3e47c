"""Counties, towns and clusters of 云泽省: places that do not exist, under division codes nobody holds."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from qbase.demo.world.scenario import ALPHA_MEAN, ALPHA_SD, LAB_SD, Dimensions, Streams

# Named by what they hold; numpy's own element types cannot follow mixed arithmetic.
Ints = npt.NDArray[Any]
Floats = npt.NDArray[Any]
Bools = npt.NDArray[Any]

PROVINCE_ZH, PROVINCE_EN = "云泽省", "Yunze"
COUNTIES = (
    ("清沅县", "Qingyuan"), ("澜渚县", "Lanzhu"), ("桐屿县", "Tongyu"),
    ("砚洲县", "Yanzhou"), ("苇川县", "Weichuan"), ("霁原县", "Jiyuan"),
)  # fmt: skip
_HEADS = (
    ("青", "Qing"), ("望", "Wang"), ("横", "Heng"), ("柳", "Liu"), ("云", "Yun"), ("竹", "Zhu"), ("枫", "Feng"),
    ("鹭", "Lu"), ("荻", "Di"), ("芦", "Luo"), ("梅", "Mei"), ("松", "Song"), ("桂", "Gui"),
)  # fmt: skip
_TAILS = (
    ("棹", "zhao"), ("埭", "dai"), ("渚", "zhu"), ("墩", "dun"), ("泾", "jing"),
    ("桁", "heng"), ("浦", "pu"), ("溇", "lou"), ("堰", "yan"), ("漾", "yang"),
)  # fmt: skip
N_LABS, LABS_PER_CLUSTER = 8, 3
LAB_SHARES = (0.5, 0.3, 0.2)
MERGED_ON, SUCCEEDED_ON = "2019-12-31", "2020-01-01"


@functools.cache
def read_industries() -> tuple[dict[str, Any], ...]:
    """Read the industries: code, names, two products each, their standards."""
    text = resources.files("qbase.demo.world").joinpath("industries.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["industry"])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Geography:
    """Places of one province.

    Parameters
    ----------
    towns : pandas.DataFrame
        Contract ``towns``, in the order positions refer to; the last town was merged away at the end of 2019.
    town_names_en : tuple of str
        English names of the towns.
    town_of, county_of, industry_of : numpy.ndarray, shape (C,)
        Position of the town, the county and the industry of each cluster.
    alpha : numpy.ndarray, shape (C,)
        Level of each cluster, logit.
    volume : numpy.ndarray, shape (C,)
        Factor on the number of batches.
    labs, lab_logit : numpy.ndarray, shapes (C, 3) and (8,)
        Laboratories used by each cluster; how lenient each is.
    is_neighbour : numpy.ndarray, shape (C, C)
        Clusters in towns that touch (or in the same town).
    """

    towns: pd.DataFrame
    town_names_en: tuple[str, ...]
    town_of: Ints
    county_of: Ints
    industry_of: Ints
    alpha: Floats
    volume: Floats
    labs: Ints
    lab_logit: Floats
    is_neighbour: Bools
    part: int = 0

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return len(self.alpha)


def county_code(county: int, part: int = 0) -> str:
    """Return the six digits of a county: 99, province, county."""
    return f"99{part:02d}{21 + county}"


def town_names(n: int) -> list[tuple[str, str]]:
    """Return names of ``n`` towns, Chinese and English, each used once."""
    pairs = [(h, t) for t in _TAILS for h in _HEADS]
    order = [(7 * k + k // len(pairs)) % len(pairs) for k in range(n)]
    return [(f"{pairs[k][0][0]}{pairs[k][1][0]}镇", f"{pairs[k][0][1]}{pairs[k][1][1]}") for k in order]


def build_geography(dims: Dimensions, streams: Streams) -> Geography:
    """Build towns, clusters and laboratories.

    The first cluster is the town's chemical-fibre cluster (2822) of the policy text; two brother
    towns have one as well.

    Parameters
    ----------
    dims : Dimensions
        How many of each.
    streams : Streams
        Random streams.

    Returns
    -------
    Geography
        Places and their fixed properties.
    """
    rng = streams.rng("geography")
    n = dims.n_clusters
    towns = _towns(dims, streams.part)
    town_of = _places_of_clusters(dims, rng)
    industry_of = np.zeros(n, dtype=np.int64)
    rest = np.arange(n - 3) % (dims.n_industries - 1) + 1
    industry_of[3:] = rng.permutation(rest)
    labs = np.argsort(rng.random((n, N_LABS)), axis=1)[:, :LABS_PER_CLUSTER].astype(np.int64)
    gap = np.abs(town_of[:, None] - town_of[None, :])
    same_county = (town_of[:, None] % dims.n_counties) == (town_of[None, :] % dims.n_counties)
    is_neighbour = ((gap <= dims.n_counties) & same_county) & ~np.eye(n, dtype=bool)
    return Geography(
        towns=towns,
        town_names_en=tuple(en for _, en in town_names(dims.n_towns)),
        town_of=town_of,
        county_of=town_of % dims.n_counties,
        industry_of=industry_of,
        alpha=np.round(rng.normal(ALPHA_MEAN, ALPHA_SD, n), 6),
        volume=np.round(rng.uniform(0.5, 1.6, n), 3),
        labs=labs,
        lab_logit=np.round(streams.rng("labs").normal(0, LAB_SD, N_LABS), 6),
        is_neighbour=is_neighbour,
        part=streams.part,
    )


def _places_of_clusters(dims: Dimensions, rng: np.random.Generator) -> Ints:
    """Give each cluster a town: chemical fibre in three counties, one in the town that took another in."""
    n_towns = dims.n_towns - 1
    heir = dims.n_towns - 1 - dims.n_counties
    order = rng.permutation(np.setdiff1d(np.arange(3, n_towns), [heir]))
    spare = max(0, dims.n_clusters - n_towns)
    doubled = rng.integers(0, n_towns, spare)
    return np.concatenate([[0, 1, 2, heir], order, doubled])[: dims.n_clusters].astype(np.int64)


def _towns(dims: Dimensions, part: int) -> pd.DataFrame:
    names = town_names(dims.n_towns)
    rows = []
    for k, (zh, _) in enumerate(names):
        county = k % dims.n_counties
        rows.append(
            {
                "town_code": f"{county_code(county, part)}{101 + k // dims.n_counties}",
                "town_name": zh,
                "county_name": COUNTIES[county][0],
                "valid_from_date": "2011-01-01",
                "valid_to_date": "",
                "successor_code": "",
            }
        )
    merged, into = rows[-1], rows[-1 - dims.n_counties]
    merged["valid_to_date"], merged["successor_code"] = MERGED_ON, into["town_code"]
    return pd.DataFrame(rows)
