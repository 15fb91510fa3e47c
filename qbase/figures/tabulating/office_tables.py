"""Tables that name firms, for the office itself: failures traced back to them, and whom to visit first."""

from __future__ import annotations

from qbase.core.numbers import count, interval, level_text, number, percent
from qbase.core.results.result import Result
from qbase.core.results.sentences import digits_of
from qbase.core.shown.display import Column, Table
from qbase.core.text import Text, same
from qbase.figures.surface.figure_words import account_data, capital, sentences, source_note
from qbase.figures.tabulating.estimate_columns import NONE

PLACES = {
    "circulation": Text("流通领域（企业以外）", "In trade, away from the firms"),
    "production": Text("生产企业", "At the firms"),
    "unknown": Text("抽样领域不详", "Not stated"),
    "listed": Text("公告名单，在其他单位抽到", "Published lists, sampled elsewhere"),
}
NAMED = 5
"""So many firms are named under the counts; all are in the data."""

VISITS = Text(
    "名单只指引走访，不作为处罚、评级或公开的依据；为内部资料。",
    "The list directs visits, never penalties or grades; for the office itself, never for release.",
)


def tabulate_elsewhere(result: Result) -> Table:
    """Tabulate failures found outside the firms' premises, and the firms they are traced back to.

    Parameters
    ----------
    result : Result
        Of `qbase.trends.find_elsewhere`.

    Returns
    -------
    Table
        One row per place, below that in trade the firms with a failure (at most five). It names firms. Data: where,
        firm, n, k.

    Examples
    --------
    >>> from qbase.figures import tabulate_elsewhere
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import find_elsewhere
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> table = tabulate_elsewhere(find_elsewhere(open_workspace(), panel, subject="K001"))
    >>> print(table.caption.en)
    Failures found away from the firms, traced back to them, 2025Q1–2025Q4: Qingzhao polyester fibre cluster
    >>> table.rows[0][1], table.rows[-1][1]
    ('1 / 8', '18 / 73')
    """
    places, firms = result.tables["places"], result.tables["firms"]
    by = {str(e.key["where"]): e for e in result.estimates}
    rows: list[tuple[str | Text, ...]] = []
    for where, n, k, n_firms in places.itertuples(index=False, name=None):
        e = by.get(where)
        digits = 1 if e is None else digits_of(result, e)
        shown = NONE if e is None else f"{number(e.value, digits)}%"
        ends = same(NONE) if e is None else interval(e.ci_low or 0.0, e.ci_high or 0.0, digits)
        failed = f"{count(k)} / {count(n)}" if where != "listed" else count(k)
        rows.append((PLACES[where], failed, shown, ends, count(n_firms) if result.estimates else NONE))
        if where == "circulation":
            rows += [
                (same(f"　{name}"), f"{count(a)} / {count(b)}", NONE, NONE, NONE)
                for name, b, a in firms.loc[firms["k"] > 0, ["firm_name", "n", "k"]].head(NAMED).itertuples(index=False)
            ]
    if not result.estimates:
        rows = [(result.labels["unanswered"], *[NONE] * 4)]
    when, level = str(result.settings["period"]), float(result.settings["level"])
    return Table(
        name="elsewhere",
        tells=(result.name,),
        caption=capital(
            Text(
                f"{result.subject.zh}：{when} 在企业以外发现的不合格，追溯到企业",
                f"Failures found away from the firms, traced back to them, {when}: {result.subject.en}",
            )
        ),
        columns=(
            Column(label=Text("在哪里抽到", "Where drawn")),
            Column(label=Text("不合格 / 检验批次", "Failed / tested"), numeric=True),
            Column(label=Text("不合格率", "Share failed"), numeric=True),
            Column(label=same(f"{level_text(level)} CI"), numeric=True),
            Column(label=Text("涉及企业", "Firms"), numeric=True),
        ),
        rows=tuple(rows),
        note=sentences(*result.notes, source_note(result)),
        data={
            "where": [*places["where"], *["firm"] * len(firms)],
            "firm": [*[""] * len(places), *firms["firm"]],
            "n": [*places["n"].tolist(), *firms["n"].tolist()],
            "k": [*places["k"].tolist(), *firms["k"].tolist()],
            **account_data([result.coverage] * (len(places) + len(firms))),
        },
        style="effects",
    )


def tabulate_watchlist(
    result: Result, *, entity: str = "cluster_id", subject: str | None = None, most: int = 10
) -> Table:
    """Tabulate whom to visit first: firm, why, risk, and until when the list holds.

    Parameters
    ----------
    result : Result
        Of `qbase.trends.estimate_watchlist`.
    entity : {"cluster_id", "town_code", "firm_id"}
        What ``subject`` is.
    subject : str or None
        Its firms alone are shown; None shows those of the whole workspace.
    most : int
        Rows at most; the note counts the others.

    Returns
    -------
    Table
        One row that says why where nobody is listed. It names firms. Data: rank, firm_id, risk_pct, review_on,
        expires_on.

    Examples
    --------
    >>> from qbase.figures import tabulate_watchlist
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_watchlist, read_watch_tables
    >>> listed = estimate_watchlist(read_watch_tables(open_workspace()))
    >>> tabulate_watchlist(listed, subject="K001", most=2)
    Visit list: whom to visit first, and why (review by 2026-04-01, void from 2026-07-01)
    Rank | Firm | Reasons | Risk of a failure (95% CI)
    16 | 清沅宏信化纤有限公司 | 4 of 9 earlier batches failed; small firm; 12 items failed before | 32% (23–43)
    19 | 清沅凯源化纤有限公司 | 3 of 5 earlier batches failed; small firm; product polyester filament yarn | 30% (21–41)
    """
    listed = result.tables["watchlist"]
    own = listed if subject is None else listed[listed[entity].astype(str) == subject]
    shown = own.head(most)
    rows: list[tuple[str | Text, ...]] = [
        (
            count(int(row["rank"])), str(row["firm_name"]), Text(str(row["reason_zh"]), str(row["reason_en"])),
            Text("{value}（{ends}）", "{value} ({ends})").format(
                value=same(percent(float(row["risk_pct"]), 0)),
                ends=interval(float(row["ci_low"]), float(row["ci_high"]), 0),
            ),
        )
        for row in shown.to_dict("records")
    ]  # fmt: skip
    nobody = result.labels.get("unanswered", Text("名单上没有该对象的企业", "None of its firms is on the list"))
    more = Text(
        f"全部名单 {count(len(listed))} 家，其中该范围 {count(len(own))} 家，列出 {count(len(shown))} 家。",
        f"{count(len(listed))} firms are on the whole list, {count(len(own))} of them here; {count(len(shown))} are "
        "shown.",
    )
    return Table(
        name="watchlist",
        caption=Text("走访名单：先走访哪些企业，为什么", "Visit list: whom to visit first, and why") + _valid(result),
        columns=(
            Column(label=Text("序", "Rank"), numeric=True),
            Column(label=Text("企业", "Firm")),
            Column(label=Text("理由", "Reasons")),
            Column(label=Text("不合格的可能（95% CI）", "Risk of a failure (95% CI)"), numeric=True),
        ),
        rows=tuple(rows) or ((NONE, nobody, NONE, NONE),),
        note=sentences(VISITS, *([more] if len(listed) else []), source_note(result)),
        data={c: shown[c].tolist() for c in ("rank", "firm_id", "risk_pct", "review_on", "expires_on")}
        | account_data([result.coverage] * len(shown)),
        style="effects",
    )


def _valid(result: Result) -> Text:
    """Return until when a list holds; every row of it was made on one day."""
    listed = result.tables["watchlist"]
    if listed.empty:
        return Text("", "")
    review, end = str(listed["review_on"].iloc[0]), str(listed["expires_on"].iloc[0])
    return Text(f"（{review} 前复核，{end} 起失效）", f" (review by {review}, void from {end})")
