"""What a reader must know about how doubt was measured, in words."""

from __future__ import annotations

from qbase.core.numbers import count, p_value
from qbase.core.text import Text
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.doubt.placebo_paths import Exchange
from qbase.effects.fitting.path_fit import PathFit

METHODS = {
    "permutation": Text(
        "区间和 p 值由各集群互换时间序列得出（置换检验）",
        "Intervals and p values come from clusters exchanging their histories (permutation)",
    ),
    "conley_taber": Text(
        "区间和 p 值由未采用者的时间序列代替采用者得出（Conley–Taber 方法）",
        "Intervals and p values come from untreated histories in the place of the treated (Conley and Taber)",
    ),
    "CRV3": Text(
        "标准误由逐一剔除集群得出（CRV3），自由度按采用者与未采用者各自的方差计算",
        "Standard errors come from leaving out one cluster at a time (CRV3), degrees of freedom from the variance "
        "among treated and among untreated clusters",
    ),
    "wild": Text(
        "区间和 p 值由按集群翻转符号的自助法得出",
        "Intervals and p values come from turning the signs of whole clusters (wild cluster bootstrap)",
    ),
    "analytic": Text(
        "标准误按集群聚类，自由度为集群数减一",
        "Standard errors are clustered, with one degree of freedom fewer than clusters",
    ),
}

SCALED = Text(
    "互换时按批次数和冲击的持续性调整了波动大小",
    "each history was rescaled to the noise of its new place, by batches and by how long shocks last",
)
UNSCALED = Text(
    "互换假定各集群波动大小相同",
    "the exchange takes all clusters as equally noisy",
)
TOO_FEW = Text(
    "采用政策的对象少于三个的数字只作描述，没有区间，也不作判断。",
    "A number behind which fewer than three treated stand is described only: no interval and no verdict.",
)


def note_of(
    method: str, grid: OutcomeGrid, fit: PathFit, p_floor: float | None, exchange: Exchange | None, *, is_scaled: bool
) -> tuple[Text, ...]:
    """Return what to say of a method: where its numbers come from, its floor, and what it cannot tell.

    Parameters
    ----------
    method : str
        A key of ``METHODS``.
    grid, fit
        What was estimated.
    p_floor : float or None
        The smallest p value of the method.
    exchange : Exchange or None
        Who changed places.
    is_scaled : bool
        Whether histories were rescaled.
    """
    base = METHODS[method]
    zh, en = [base.zh], [base.en]
    if method == "permutation" and exchange is not None:
        manner = SCALED if is_scaled else UNSCALED
        how = _how(exchange)
        zh += [how.zh, manner.zh]
        en += [how.en, manner.en]
    if p_floor is not None:
        zh.append(f"p 值最小只能到 {p_value(p_floor)}")
        en.append(f"the smallest p value it can give is {p_value(p_floor)}")
    notes = [Text("；".join(zh) + "。", "; ".join(en) + ".")]
    if (fit.n_treated < 3).any():
        notes.append(TOO_FEW)
    return tuple(notes)


def _how(exchange: Exchange) -> Text:
    if exchange.is_complete:
        n = count(exchange.n_possible)
        return Text(f"列举了全部 {n} 种采用方式", f"all {n} ways of adopting were listed")
    n = count(len(exchange.places))
    return Text(f"随机抽取了 {n} 种采用方式", f"{n} ways of adopting were drawn")
