"""Inspections to registered firms where the code does not say it: every link recorded, scored, reversible."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qbase.core.periods import parse_period
from qbase.intake.linking.firm_match import EVER, NOTHING, KnownName, Match, Printed, Register
from qbase.intake.linking.link_diary import BY_RULE, HOLDS_SQL, latest_sql, link_row, read_last_no, write_links
from qbase.intake.linking.town_codes import TownCodes, read_towns

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

REGISTER_TABLES = frozenset({"firms", "firm_names", "firm_events"})
LEAST_MAKERS = 5
"""With fewer firms of a sound code it cannot be told which industries make a product."""

# what a code alone does not settle: no code, no firm or several with this code, or the name of another firm;
# what was linked by a code that a correction has changed since; and what waits, or was linked to a firm that is gone,
# for a corrected register may have taken the cause away
_OPEN = """
WITH codes AS (SELECT uscc FROM (SELECT DISTINCT firm_id, uscc FROM firms) WHERE uscc IS NOT NULL
               GROUP BY uscc HAVING count(*) = 1),
names AS ({names}),
latest AS ({latest}),
coded AS (
    SELECT i.*, c.uscc IS NOT NULL AS is_coded, coalesce(i.firm_code IN (SELECT firm_id FROM firms), false) AS is_named
    FROM (SELECT NULL::VARCHAR AS role WHERE false UNION ALL BY NAME SELECT * FROM inspections) i
    LEFT JOIN codes c ON c.uscc = i.uscc
)
SELECT i.sample_no, coalesce(i.uscc, CASE WHEN {holds} THEN l.uscc_printed END, '') AS uscc,
       i.firm_name, i.sample_date::VARCHAR AS day,
       coalesce(i.town_code, '') AS town,
       CASE WHEN coalesce(i.role, 'producer') = 'producer' THEN i.product_name END AS product,
       is_named, l.decision, l.firm_id, l.method, l.decided_by, l.sample_no IS NOT NULL AND {holds} AS holds
FROM coded i LEFT JOIN latest l ON l.sample_no = i.sample_no AND l.name_printed = i.firm_name
WHERE (l.decision = 'doubt' OR (l.decision = 'accept' AND l.firm_id NOT IN (SELECT firm_id FROM firms))
    OR (NOT is_named AND (NOT is_coded OR (
    EXISTS (SELECT 1 FROM names n WHERE n.firm_name = i.firm_name)
    AND NOT EXISTS (SELECT 1 FROM names n JOIN firms f USING (firm_id)
                    WHERE n.firm_name = i.firm_name AND f.uscc = i.uscc)) OR NOT ({holds})))) {scope}
ORDER BY i.sample_no
"""
_MAKERS = f"""
SELECT i.product_name AS product, list(DISTINCT substr(f.industry_code, 1, 3)) AS industries
FROM inspections i JOIN firms f ON f.uscc = i.uscc
WHERE coalesce(i.role, 'producer') = 'producer' AND f.industry_code IS NOT NULL AND f.uscc IS NOT NULL
GROUP BY 1 HAVING count(DISTINCT f.firm_id) >= {LEAST_MAKERS}
"""  # noqa: S608  (a number of ours)
_REGISTERED = "SELECT firm_id, firm_name, '' AS first, '{ever}' AS last FROM firms"
# the register of today follows the last name that ended; beside a name that has not ended it names no day
_NAMED = """
WITH spans AS (SELECT firm_id, max(valid_to_date) AS ended, count(*) > count(valid_to_date) AS is_open
               FROM firm_names GROUP BY firm_id)
SELECT firm_id, firm_name, valid_from_date::VARCHAR AS first, coalesce(valid_to_date::VARCHAR, '{ever}') AS last
FROM firm_names
UNION ALL
SELECT f.firm_id, f.firm_name,
       CASE WHEN s.is_open THEN '{ever}' WHEN s.ended IS NULL THEN '' ELSE (s.ended::DATE + 1)::VARCHAR END AS first,
       CASE WHEN s.is_open THEN '' ELSE '{ever}' END AS last
FROM firms f LEFT JOIN spans s USING (firm_id)
WHERE NOT EXISTS (SELECT 1 FROM firm_names n WHERE n.firm_id = f.firm_id AND n.firm_name = f.firm_name)
"""
_FIRMS = "SELECT * FROM (SELECT NULL::VARCHAR AS successor_id, NULL::VARCHAR AS exit_quarter, "
_FIRMS += "NULL::VARCHAR AS industry_code WHERE false UNION ALL BY NAME SELECT * FROM firms)"
_EVENTS = """
SELECT firm_id, event_date::VARCHAR AS day, kind, other_firm_id AS other, to_town_code AS town
FROM (SELECT NULL::VARCHAR AS to_town_code, NULL::VARCHAR AS other_firm_id WHERE false
      UNION ALL BY NAME SELECT * FROM firm_events)
ORDER BY event_date
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinkReport:
    """What linking did.

    Parameters
    ----------
    looked, linked, queued : int
        Inspections looked at; linked to a firm; put into the queue for a person.
    snapshot : str
        Snapshot that holds the links; the latest one when nothing changed.

    Examples
    --------
    >>> from qbase.intake import LinkReport
    >>> LinkReport(looked=120, linked=104, queued=9, snapshot="S0013")
    LinkReport(looked=120, linked=104, queued=9, snapshot='S0013')
    """

    looked: int
    linked: int
    queued: int
    snapshot: str


def link_firms(workspace: Workspace, *, deliveries: Sequence[str] | None = None) -> LinkReport:
    """Link inspections to registered firms where code or name leave no doubt, and queue the doubtful ones.

    What a rule decided before is decided anew, for the register may say more today; what a person decided stays.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds inspections and firms; without one of them nothing happens.
    deliveries : sequence of str or None
        sha256 of deliveries to look at; None looks at all.

    Returns
    -------
    LinkReport

    Raises
    ------
    SetupError
        The lake is locked too long (QB206), or cannot be written (QB207).

    Examples
    --------
    >>> import shutil
    >>> from qbase.intake import link_firms, load_files
    >>> from qbase.lake import open_workspace
    >>> home = open_workspace(shutil.copytree(open_workspace().root, "home_link_firms"))
    >>> left_out = "delivery_sha256, sheet, row_no, uscc"
    >>> sql = f"SELECT * EXCLUDE ({left_out}) FROM inspections WHERE sample_no = 'YZ2024Q4G0012'"
    >>> home.query(sql).assign(sample_no="B1", firm_name="桐屿华佳化纤厂").to_csv("doubtful_links.csv", index=False)
    >>> load_files(home, "doubtful_links.csv")[0].warnings
    ('firm_doubtful 1',)
    >>> again = link_firms(home)
    >>> again.looked, again.linked, again.queued
    (1, 0, 0)
    """
    at = workspace.snapshot()
    if not {"inspections", "firms"} <= set(at.versions) or deliveries == []:
        return LinkReport(looked=0, linked=0, queued=0, snapshot=at.id)
    rows = workspace.arrow(_open_sql(at, deliveries), snapshot=at).to_pylist()
    rows = [row for row in rows if row["decided_by"] in (None, BY_RULE) or not row["holds"]]
    if not rows:
        return LinkReport(looked=0, linked=0, queued=0, snapshot=at.id)
    register, places, makers = read_register(workspace, at), read_towns(workspace, at), read_makers(workspace, at)
    found: dict[Printed, Match] = {}
    new = []
    for row in rows:
        printed = print_of(row, places, makers)
        if printed not in found:
            found[printed] = register.find(printed)
        # the code of a registered firm leaves nothing to decide
        match = NOTHING if row["is_named"] else found[printed]
        if is_news(row, match) or (match.decision != "none" and not row["holds"]):
            new.append(link_row(row["sample_no"], printed, match))
    snapshot = write_links(workspace, new, seen_no=read_last_no(workspace, at))
    counts = {state: sum(row["decision"] == state for row in new) for state in ("accept", "doubt")}
    return LinkReport(looked=len(rows), linked=counts["accept"], queued=counts["doubt"], snapshot=snapshot.id)


def _open_sql(at: Snapshot, deliveries: Sequence[str] | None) -> str:
    names = (_NAMED if "firm_names" in at.versions else _REGISTERED).format(ever=EVER)
    listed = ", ".join(f"'{sha256}'" for sha256 in deliveries or ())
    scope = f"AND i.delivery_sha256 IN ({listed})" if listed else ""
    return _OPEN.format(names=names, latest=latest_sql(at), holds=HOLDS_SQL, scope=scope)


def print_of(row: Mapping[str, Any], places: TownCodes, makers: Mapping[str, frozenset[str]]) -> Printed:
    """Return the firm as a row prints it: ``uscc firm_name day town product``."""
    return Printed(
        uscc=row["uscc"],
        name=row["firm_name"],
        day=row["day"],
        town=places.resolve(row["town"]) or row["town"],
        industries=makers.get(row["product"] or "", frozenset()),
    )


def is_news(row: Mapping[str, Any] | None, match: Match) -> bool:
    """Return whether a match says something else than the diary, which may say nothing."""
    said = row or {"decision": None, "firm_id": None, "method": None}
    if match.decision == "none":
        return said["decision"] not in (None, "none")
    return (said["decision"], said["firm_id"], said["method"]) != (match.decision, match.firm_id, match.method)


def read_makers(workspace: Workspace, at: Snapshot) -> dict[str, frozenset[str]]:
    """Return which groups of industries make a product, as firms with a sound code show."""
    if not {"inspections", "firms"} <= set(at.versions):
        return {}
    rows = workspace.arrow(_MAKERS, snapshot=at).to_pylist()
    return {row["product"]: frozenset(row["industries"]) for row in rows}


def read_register(workspace: Workspace, snapshot: Snapshot | None = None) -> Register:
    """Read firms, their names over time, industries, towns of today and mergers.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds the firms.
    snapshot : Snapshot or None
        The latest when None.

    Returns
    -------
    Register
    """
    at = workspace.snapshot(snapshot)
    places = read_towns(workspace, at)
    firms = workspace.arrow(_FIRMS, snapshot=at).to_pylist()
    names_sql = (_NAMED if "firm_names" in at.versions else _REGISTERED).format(ever=EVER)
    names = workspace.arrow(names_sql, snapshot=at).to_pylist()
    towns = {row["firm_id"]: {places.resolve(row["town_code"]) or row["town_code"]} for row in firms}
    mergers = {row["firm_id"]: _succession(row) for row in firms if row["successor_id"] and row["exit_quarter"]}
    if "firm_events" in at.versions:
        for row in workspace.arrow(_EVENTS, snapshot=at).to_pylist():
            if row["kind"] == "merged" and row["other"]:
                mergers[row["firm_id"]] = (row["day"], row["other"])
            if row["kind"] == "moved" and row["town"]:
                towns.setdefault(row["firm_id"], set()).add(places.resolve(row["town"]) or row["town"])
    return Register(
        (KnownName(firm_id=n["firm_id"], name=n["firm_name"], first=n["first"], last=n["last"]) for n in names),
        {row["firm_id"]: row["uscc"] for row in firms if row["uscc"]},
        towns,
        mergers,
        {row["firm_id"]: row["industry_code"] for row in firms if row["industry_code"]},
    )


def _succession(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return from when on a firm stands for its successor: the day after the quarter it left in."""
    day = (parse_period(row["exit_quarter"], "Q") + 1).start_time.date()
    return day.isoformat(), row["successor_id"]
