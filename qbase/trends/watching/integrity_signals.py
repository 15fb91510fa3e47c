"""Patterns in the records of inspections that deserve a second look: questions to verify, never findings.

Each pattern is what chance alone would hardly make of honest records: it says where to look, not what happened.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from qbase.core.numbers import count, number
from qbase.core.text import Text, same
from qbase.core.values import CheckResult
from qbase.stats.testing.false_discovery import false_discovery_q
from qbase.stats.testing.stratified_excess import stratified_excess
from qbase.trends.watching.firm_features import quarter_of, read_quarters
from qbase.trends.watching.watch_tables import WatchTables

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHARE = 0.05
"""Largest share of false alarms taken among the places of one pattern."""

LEAST_VARIANCE = 2.0
"""Below this a count is too small for the normal distribution: the place is not tested."""

LEAST_GROUPS = 4
"""Series (town by product) with draws at both levels; with fewer no error can be told."""

UPPER = ("national", "province")
LOOK_BACK = 4
SEEN_QUARTERS = 8
OFTEN = 3
"""Draws within two years after which a firm without a failure is known to be a safe choice."""

COLUMNS = ["place", "n", "observed", "expected", "p_value", "q_value", "is_signal"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pattern:
    """Words of one pattern.

    Parameters
    ----------
    name : str
        Of the check.
    told : Text
        What was seen, with ``{places}``.
    quiet : Text
        What is said where nothing stands out.
    """

    name: str
    told: Text
    quiet: Text


LEVELS = Pattern(
    name="level_gap",
    told=Text(
        "同类产品由县、市组织抽查时，不合格率明显低于省级及以上抽查，需核实：{places}",
        "failures of the same products are clearly rarer in draws by county and city than in those of the province and "
        "above; to verify: {places}",
    ),
    quiet=Text("各级抽查的不合格率没有超出偶然的差别", "failure rates by level of draw differ by no more than chance"),
)
CLEAN = Pattern(
    name="repeated_clean",
    told=Text(
        "双随机多次抽到一贯合格的企业，次数超出偶然，需核实：{places}",
        "random draws came upon firms without failures more often than chance explains; to verify: {places}",
    ),
    quiet=Text("双随机没有偏向一贯合格的企业", "random draws do not lean to firms without failures"),
)
ITEMS = Pattern(
    name="dropped_items",
    told=Text(
        "出现不合格的项目，此后检验得明显变少，需核实：{places}",
        "items are tested clearly less often after they failed; to verify: {places}",
    ),
    quiet=Text("项目出现不合格后没有少检", "items are not tested less often after they failed"),
)
LABS = Pattern(
    name="switched_laboratory",
    told=Text(
        "检出不合格后，下一批更换检验机构的次数超出偶然，需核实：{places}",
        "the laboratory changes after a failure more often than chance explains; to verify: {places}",
    ),
    quiet=Text("更换检验机构与是否检出不合格无关", "the laboratory does not change with failures"),
)


def towns_of(tables: WatchTables) -> pd.Series[str]:
    """Return the town of each batch, through its firm."""
    towns = tables.firms.drop_duplicates("firm_id").set_index("firm_id")["town_code"].astype(str)
    return tables.draws["firm_id"].map(towns).fillna("")


def check_level_gap(tables: WatchTables) -> CheckResult:
    """Check whether random draws by county and city fail less than those of province and nation, county by county.

    Compared within series of one town, product and size, with the years taken out; errors by town and product.

    Parameters
    ----------
    tables : WatchTables
        From `read_watch_tables`.

    Returns
    -------
    CheckResult
        ``level_gap``; table place (county code), n, observed and expected failures, p_value, q_value, is_signal.
    """
    draws = tables.draws.assign(town=towns_of(tables))
    draws = draws[(draws["sample_type"] == "random") & draws["level"].notna() & (draws["level"] != "unknown")]
    draws = draws.assign(county=draws["town"].str[:6], year=draws["sample_date"].dt.year)
    draws["own"] = (~draws["level"].isin(UPPER)).astype(float)
    draws["failed"] = (~draws["is_pass"].astype(bool)).astype(float)
    draws["size_class"] = draws["size_class"].fillna("")
    series = ["town", "product_name", "size_class"]
    draws = draws.sort_values(["sample_date", "sample_no"], kind="stable")
    counties = sorted(draws["county"].unique())
    years = sorted(draws["year"].unique())[1:]
    columns = {c: draws["own"].where(draws["county"] == c, 0.0) for c in counties}
    x = pd.DataFrame({**columns, **{f"y{y}": (draws["year"] == y).astype(float) for y in years}})
    names = [draws[s] for s in series]
    y = (draws["failed"] - draws.groupby(series)["failed"].transform("mean")).to_numpy(dtype=float)
    within = (x - x.groupby(names).transform("mean")).to_numpy(dtype=float)
    code: Ints = np.asarray(draws.groupby(["town", "product_name"]).ngroup(), dtype=np.int64)
    beta, error = _fit_by_group(y, within, code)
    rows = []
    for i, county in enumerate(counties):
        is_own = ((draws["county"] == county) & (draws["own"] > 0)).to_numpy()
        groups = len(np.unique(code[np.abs(within[:, i]) > 1e-9]))
        is_told = groups >= LEAST_GROUPS and error[i] > 0
        observed = float(draws["failed"].to_numpy()[is_own].sum())
        rows.append(
            {
                "place": county,
                "n": int(is_own.sum()),
                "observed": observed,
                "expected": observed - beta[i] * is_own.sum() if is_told else np.nan,
                "p_value": float(student.cdf(beta[i] / error[i], groups - 1)) if is_told else np.nan,
            }
        )
    return say_pattern(LEVELS, pd.DataFrame(rows, columns=COLUMNS[:5]), tables.names)


def _fit_by_group(y: Floats, x: Floats, code: Ints) -> tuple[Floats, Floats]:
    """Return coefficients of least squares and their errors, clustered with the factor g / (g − 1)."""
    bread = np.linalg.pinv(x.T @ x)
    beta = bread @ x.T @ y
    scores = np.zeros((int(code.max()) + 1 if len(code) else 0, x.shape[1]))
    np.add.at(scores, code, x * (y - x @ beta)[:, None])
    g = max(len(scores), 2)
    vcov = bread @ (scores.T @ scores) @ bread * g / (g - 1)
    return np.asarray(beta, dtype=float), np.asarray(np.sqrt(np.maximum(np.diag(vcov), 0)), dtype=float)


def check_repeated_clean(tables: WatchTables) -> CheckResult:
    """Check whether random draws lean to firms that passed everything, cluster by cluster.

    Among the firms in business that were drawn within two years, those drawn three times or more without a failure
    should come up as often as the others: in each quarter the random draws are shared out by chance.

    Parameters
    ----------
    tables : WatchTables
        From `read_watch_tables`.

    Returns
    -------
    CheckResult
        ``repeated_clean``; table as of `check_level_gap`, place a cluster.
    """
    register = tables.firms.drop_duplicates("firm_id").set_index("firm_id").sort_index()
    draws = tables.draws[tables.draws["firm_id"].isin(register.index)]
    firm = register.index.get_indexer(pd.Index(draws["firm_id"]))
    quarter = quarter_of(draws["sample_date"])
    first = int(quarter.min()) if len(quarter) else 0
    shape = (len(register), int(quarter.max()) - first + 1 if len(quarter) else 0)
    drawn, failed, chosen = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    at = (firm, quarter - first)
    np.add.at(drawn, at, 1)
    np.add.at(failed, at, ~draws["is_pass"].to_numpy(dtype=bool))
    np.add.at(chosen, at, draws["sample_type"].to_numpy() == "random")
    time = np.arange(shape[1])
    entry = np.nan_to_num(read_quarters(register["entry_quarter"]), nan=-1e9) - first
    gone = np.nan_to_num(read_quarters(register["exit_quarter"]), nan=1e9) - first
    alive = (entry[:, None] <= time) & (gone[:, None] > time)
    times = _summed_before(drawn)
    seen = alive & (times > 0)
    clean = seen & (times >= OFTEN) & (_summed_before(failed) == 0)
    f, t = np.nonzero(seen)
    found = stratified_excess(
        chosen[f, t], clean[f, t], stratum=t, group=register["cluster_id"].fillna("").to_numpy(dtype=object)[f]
    )
    return say_pattern(CLEAN, _counted(found[found["group"] != ""]), tables.names)


def _summed_before(values: Floats) -> Floats:
    """Return the sum over the quarters before each, of those that count."""
    total = np.cumsum(np.pad(values, ((0, 0), (SEEN_QUARTERS + 1, 0))), axis=1)
    return np.asarray(total[:, SEEN_QUARTERS:-1] - total[:, : -SEEN_QUARTERS - 1], dtype=float)


def check_dropped_items(tables: WatchTables) -> CheckResult:
    """Check whether items are tested less often within a year of failing, town by town.

    Parameters
    ----------
    tables : WatchTables
        From `read_watch_tables`.

    Returns
    -------
    CheckResult
        ``dropped_items``; table as of `check_level_gap`, place a town; counts are of items left untested.
    """
    if tables.items.empty:
        return say_pattern(ITEMS, pd.DataFrame(columns=COLUMNS[:5]), tables.names)
    draws = tables.draws.assign(town=towns_of(tables), quarter=quarter_of(tables.draws["sample_date"]))
    series = ["town", "product_name"]
    tested = tables.items.merge(draws[["sample_no", "quarter", *series]], on="sample_no")
    known = tested[[*series, "item_name"]].drop_duplicates()
    bad = tested[~tested["is_ok"].astype(bool)][[*series, "item_name", "quarter"]].drop_duplicates()
    after = pd.concat([bad.assign(quarter=bad["quarter"] + k) for k in range(1, LOOK_BACK + 1)]).drop_duplicates()
    grid = draws[["sample_no", "quarter", *series]].merge(known, on=series)
    keys = ["sample_no", "item_name"]
    grid = grid.merge(tested[keys].drop_duplicates().assign(is_tested=True), on=keys, how="left")
    grid = grid.merge(after.assign(is_after=True), on=[*series, "item_name", "quarter"], how="left")
    found = stratified_excess(
        grid["is_tested"].isna().to_numpy(),
        grid["is_after"].notna().to_numpy(),
        stratum=[grid["product_name"].to_numpy(dtype=object), grid["item_name"].to_numpy(dtype=object)],
        group=grid["town"].to_numpy(dtype=object),
        # where one item of a batch is tested another is not: they are no occasions of their own
        together=grid["sample_no"].to_numpy(dtype=object),
    )
    return say_pattern(ITEMS, _counted(found), tables.names)


def check_switched_laboratory(tables: WatchTables) -> CheckResult:
    """Check whether the next batch of a town goes to another laboratory more often after a failure.

    Compared within the laboratory of the batch before: a strict one finds more failures and is often the rarer one.

    Parameters
    ----------
    tables : WatchTables
        From `read_watch_tables`.

    Returns
    -------
    CheckResult
        ``switched_laboratory``; table as of `check_level_gap`, place a town.
    """
    draws = tables.draws.assign(town=towns_of(tables))
    draws = draws[draws["lab_name"].notna()].sort_values(["town", "sample_date", "sample_no"], kind="stable")
    before = draws.groupby("town")[["lab_name", "is_pass"]].shift()
    held = before["lab_name"].notna().to_numpy()
    found = stratified_excess(
        (draws["lab_name"] != before["lab_name"]).to_numpy()[held],
        ~before["is_pass"][held].astype(bool).to_numpy(),
        stratum=before["lab_name"].to_numpy(dtype=object)[held],
        group=draws["town"].to_numpy(dtype=object)[held],
    )
    return say_pattern(LABS, _counted(found), tables.names)


def _counted(found: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of a pattern; places of too few are not tested."""
    table = found.rename(columns={"group": "place", "n_exposed": "n", "p_more": "p_value"})
    table["p_value"] = table["p_value"].where(table["variance"] >= LEAST_VARIANCE)
    return table[COLUMNS[:5]]


def say_pattern(pattern: Pattern, table: pd.DataFrame, names: Mapping[str, Text]) -> CheckResult:
    """Return a pattern as a check: failed where a place stands out, None where nothing could be tested.

    Parameters
    ----------
    pattern : Pattern
        Its words.
    table : pandas.DataFrame
        place, n, observed, expected, p_value.
    names : mapping of str to Text
        Of places by code; a place without one is told by its code.
    """
    q = false_discovery_q(table["p_value"].to_numpy(dtype=float))
    table = table.assign(q_value=q, is_signal=np.nan_to_num(q, nan=1.0) <= SHARE)
    table = table.sort_values(["q_value", "p_value", "place"], kind="stable", ignore_index=True)
    tested, told = int(table["p_value"].notna().sum()), table[table["is_signal"]]
    if not tested:
        text = Text("{quiet}：记录不足，无法检验。", "Cannot be tested for want of records: whether {quiet}.")
        return CheckResult(name=pattern.name, passed=None, text=text.format(quiet=pattern.quiet), table=table)
    if told.empty:
        text = Text(
            f"{pattern.quiet.zh}（{count(tested)} 处）。", f"{_capital(pattern.quiet.en)} ({count(tested)} places)."
        )
        return CheckResult(name=pattern.name, passed=True, text=text, table=table)
    named = [_name_place(row, names) for row in told.to_dict("records")]
    places = Text("、".join(t.zh for t in named), ", ".join(t.en for t in named))
    text = pattern.told.format(places=places)
    return CheckResult(name=pattern.name, passed=False, text=Text(f"{text.zh}。", f"{_capital(text.en)}."), table=table)


def _name_place(row: dict[Any, Any], names: Mapping[str, Text]) -> Text:
    seen, due = number(float(row["observed"]), 0), number(float(row["expected"]), 1)
    place = names.get(row["place"], same(str(row["place"])))
    return Text(f"{place.zh}（{seen} 次，预计 {due}）", f"{place.en} ({seen} seen, {due} expected)")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
