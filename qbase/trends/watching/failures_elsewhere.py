"""Failures found outside the firms' own premises, traced back to the firms that made the goods."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.numbers import count
from qbase.core.panel import Panel
from qbase.core.periods import PER_YEAR, code, parse_period
from qbase.core.results.result import Result
from qbase.core.text import Text, join
from qbase.core.values import Estimate, Indicator, Key
from qbase.indicators.cells.inspection_window import open_rows
from qbase.stats.rates.wilson import wilson_interval
from qbase.trends.counts.period_counts import EVERYBODY, find_entity
from qbase.trends.watching.notice_failures import read_notice_failures

if TYPE_CHECKING:
    from qbase.indicators.cells.window_sql import Entity
    from qbase.lake import Workspace

ELSEWHERE = Indicator(
    id="D1.elsewhere",
    name=Text("流通领域抽查不合格率", "share of batches drawn in trade that failed"),
    unit="pct",
    better="down",
    formula="failed first batches drawn in trade / first batches drawn in trade, of the firms on the label",
)
NO_PLACE = Text(
    "抽查表没有抽样地点：“流通领域”只说明不是在企业抽的，在本地还是外地抽到，数据没有记录。",
    "No place of sampling is on record: “in trade” says not at the firm; whether near or far, the data do not say.",
)
NO_LISTS = Text(
    "没有导入不合格名单，其他地方公告的不合格不在其中。",
    "No list of failures was loaded: those that other places published are not in here.",
)
NOT_ADDED = Text(
    "公告名单与抽查记录可能是同一批，不相加；名单没有检验批次，不成比率。",
    "A batch on a list may be one of the inspections, so the two are not added; a list has no tests and gives no rate.",
)
ALIKE = Text(
    "各批视为相互独立；同一企业多批时区间偏窄。",
    "Batches are taken as independent: the intervals are too narrow where one firm has several.",
)
NO_DOMAIN = Text("抽样领域没有记录", "where batches were drawn is not on record")
NOBODY = Text("这一年没有抽查批次", "nothing was tested in that year")
NOTHING = Text("", "")
PLACES = ("circulation", "production", "unknown")
LEVELS = {
    "national": Text("国家级", "national"),
    "province": Text("省级", "provincial"),
    "city": Text("市级", "city"),
    "county": Text("县级", "county"),
    "unknown": Text("级别不详", "of no stated level"),
}


def find_elsewhere(
    workspace: Workspace,
    panel: Panel,
    *,
    subject: str | None = None,
    period: str | pd.Period | None = None,
    level: float = 0.95,
) -> Result:
    """Find failures of a subject's products outside its firms' premises, and trace them back to the firms.

    First batches drawn in trade (流通领域) are those of the firms named on the label as the producer; beside them stand
    the batches drawn at the firms, and failures on published lists that were sampled at somebody else's. The year up to
    a period is counted. It names firms and is for the office itself.

    Parameters
    ----------
    workspace : Workspace
        Holds inspections and firms; lists of failures (``failure_notices``, ``notice_batches``) where there are any.
    panel : Panel
        Of `build_panel`: the kind of entity, the snapshot and the periods.
    subject : str or None
        An entity of the panel; None takes all together.
    period : str, pandas.Period or None
        The last period of the year counted; None is the last one of the panel.
    level : float
        Confidence level of Wilson's intervals.

    Returns
    -------
    Result
        Estimand ``level`` in percent, term ``rate`` with key ``where``: ``circulation``, then ``production`` and
        ``unknown`` where there are any. Tables ``places`` (where, n, k, n_firms with a failure; of the lists n is 0),
        ``firms`` (firm, firm_name, n and k in trade, n_listed; those with a failure, most first) and ``levels`` (level,
        n, k in trade). Without an answer where no batch was drawn, or no domain is on record and no list names a firm.

    Raises
    ------
    UsageError
        A period that is none (QB101), an unknown subject (QB501).
    DataError
        A table is missing (QB403).

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA 22, 209-212.

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import find_elsewhere
    >>> workspace = open_workspace()
    >>> found = find_elsewhere(workspace, build_panel(workspace, "D1.batch"), subject="K001")
    >>> found.tables["places"].to_dict("records")
    [{'where': 'circulation', 'n': 8, 'k': 1, 'n_firms': 1}, {'where': 'production', 'n': 73, 'k': 18, 'n_firms': 14}]
    >>> print(found.say().items[0].en)
    In 2025Q1–2025Q4 8 batches of Qingzhao polyester fibre cluster were drawn in trade, away from the firms; 1 failed,
    traced back to 1 firm (by level of the inspection: 1 provincial).
    """
    last = panel.periods[-1] if period is None else parse_period(period, panel.freq)
    # one quarter alone has too few batches drawn in trade
    first = max(last - (PER_YEAR[panel.freq] - 1), panel.periods[0])
    entity = None if subject is None else _known(panel, subject)
    who = EVERYBODY.get(panel.entity, Text("全部对象", "all entities")) if entity is None else panel.label(entity)
    rows = open_rows(
        workspace, entity=cast("Entity", panel.entity), freq=panel.freq, snapshot=panel.snapshot or None, first=first,
        last=last,
    )  # fmt: skip
    drawn = rows.query("elsewhere", parts={"{more}": "m.domain, m.level, m.firm_name,"})
    listed, lists = read_notice_failures(workspace, rows)
    if entity is not None:
        drawn, listed = (f[f["entity"].astype(str) == entity] for f in (drawn, listed))
    places, firms = _count_places(drawn, listed), _count_firms(drawn, listed)
    when = code(last) if first == last else f"{code(first)}–{code(last)}"
    levels = _count_levels(drawn[drawn["domain"] == "circulation"])
    is_blind = not drawn["domain"].ne("unknown").any() and listed.empty
    estimates = () if is_blind else _estimates(places, when, entity, level)
    why = NOBODY if drawn.empty else NO_DOMAIN
    return Result(
        estimand="level",
        outcome=ELSEWHERE,
        unit="pct",
        method="wilson",
        estimates=estimates,
        subject=who,
        tables={"places": places, "firms": firms, "levels": levels},
        notes=(NO_PLACE, NOT_ADDED if lists else NO_LISTS, ALIKE),
        settings={
            "entity_kind": panel.entity, "entity": entity, "period": when, "level": level, "lists": lists,
            "profile": "internal",
        },
        sources=(*panel.sources, *(workspace.source(t, rows.at) for t in lists)),
        coverage=panel.coverage,
        labels={"unanswered": why} if is_blind else {"said[rate]": _say(places, levels, who, when)},
        unanswered=Text(f"{when} {{subject}}：{why.zh}。", f"{{subject}}, {when}: {why.en}.") if is_blind else NOTHING,
        spoken=(0,) if estimates else (),
    )  # fmt: skip


def _known(panel: Panel, subject: str) -> str:
    entity = find_entity(panel, subject)
    if entity not in panel.entities:
        raise UsageError(
            "QB501",
            entity=subject,
            found=f"subject={subject!r}",
            expected=f"one of the {len(panel.entities)} values of {panel.entity}",
            fix=suggest_names(entity, panel.entities),
        )
    return entity


def _count_places(drawn: pd.DataFrame, listed: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for where in PLACES:
        own = drawn[drawn["domain"] == where]
        if where == "circulation" or len(own):
            failed = own.loc[own["k"] > 0, "firm"].nunique()
            rows.append((where, int(own["n"].sum()), int(own["k"].sum()), int(failed)))
    if len(listed):
        rows.append(("listed", 0, len(listed), int(listed["firm"].nunique())))
    return pd.DataFrame(rows, columns=["where", "n", "k", "n_firms"])


def _count_firms(drawn: pd.DataFrame, listed: pd.DataFrame) -> pd.DataFrame:
    """Return the firms with a failure in trade or on a list, most failures first."""
    traded = drawn[drawn["domain"] == "circulation"]
    names = pd.concat([f.set_index("firm")["firm_name"] for f in (drawn, listed)])
    counted = traded.groupby("firm")[["n", "k"]].sum()
    counted = counted.join(listed.groupby("firm").size().rename("n_listed"), how="outer").fillna(0).astype("int64")
    failed = counted[(counted["k"] > 0) | (counted["n_listed"] > 0)].reset_index()
    failed.insert(1, "firm_name", failed["firm"].map(names[~names.index.duplicated()]))
    return failed.sort_values(["k", "n_listed", "firm"], ascending=[False, False, True], ignore_index=True)


def _count_levels(traded: pd.DataFrame) -> pd.DataFrame:
    counted = traded.groupby("level")[["n", "k"]].sum()
    return counted.reindex([name for name in LEVELS if name in counted.index]).astype("int64").reset_index()


def _estimates(places: pd.DataFrame, when: str, entity: str | None, level: float) -> tuple[Estimate, ...]:
    found = []
    for where, n, k, _ in places[places["n"] > 0].itertuples(index=False, name=None):
        key: dict[str, Key] = {"period": when, "where": where}
        low, high = (100 * float(x[0]) for x in wilson_interval([k], [n], level=level))
        found.append(
            Estimate(
                term="rate", key=key if entity is None else key | {"entity": entity}, value=100 * k / n, ci_low=low,
                ci_high=high, ci_level=level, n_obs=n,
            )
        )  # fmt: skip
    return tuple(found)


def _say(places: pd.DataFrame, levels: pd.DataFrame, who: Text, when: str) -> Text:
    """Return in one sentence how many failures were found outside the firms, whose they are and who found them."""
    at = places.set_index("where")[["n", "k", "n_firms"]].astype(int).to_dict("index")
    n, k, firms = (count(at["circulation"][c]) for c in ("n", "k", "n_firms"))
    said = Text(
        f"{when} 在流通领域（企业以外）抽到{who.zh}的产品 {n} 批，{k} 批不合格，追溯到 {firms} 家企业",
        f"In {when} {n} batches of {who.en} were drawn in trade, away from the firms; {k} failed, traced back to "
        f"{firms} {'firm' if firms == '1' else 'firms'}",
    )
    failed = levels[levels["k"] > 0]
    if len(failed):
        counted = zip(failed["level"], failed["k"], strict=True)
        parts = join(
            [Text(f"{LEVELS[a].zh} {count(k)} 批", f"{count(k)} {LEVELS[a].en}") for a, k in counted], zh="、", en=", "
        )
        said += Text("（按抽查级别：{x}）", " (by level of the inspection: {x})").format(x=parts)
    if "listed" in at:
        k, firms = (count(at["listed"][c]) for c in ("k", "n_firms"))
        said += Text(
            f"；公告名单中另有 {k} 条在其他单位抽到，涉及 {firms} 家企业",
            f"; published lists name {k} failures sampled at somebody else's, of {firms} firms",
        )
    return said + Text("。", ".")
