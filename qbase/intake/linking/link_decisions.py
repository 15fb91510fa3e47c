"""What a person decides on doubtful links: accept, reject, undo; each a new row of the diary."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from qbase.core.errors import DataError, UsageError
from qbase.core.text import Text
from qbase.intake.linking.firm_match import Match, Printed
from qbase.intake.linking.link_diary import (
    BY_RULE,
    HOLDS_SQL,
    MANUAL,
    UNDONE,
    State,
    latest_sql,
    link_row,
    undo_rows,
    write_links,
)

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

Decision = Literal["accept", "reject"]
Kind = Literal["queued", "decided"]

REASONS: Mapping[str, Text] = {
    "uscc": Text("代码对应", "its code is that firm's"),
    "name_exact": Text("名称相同", "same name"),
    "name_form": Text("名称仅写法不同", "same name in another form"),
    "name_fuzzy": Text("名称仅有笔误", "same name but for a slip of the pen"),
    "several": Text("当日有多家企业用此名称", "several firms bore this name on that day"),
    "other_code": Text("名称相同，但印制的代码是另一家的", "same name, but the code printed is another one"),
    "name_of_another": Text("代码属于一家企业，名称属于另一家", "the code is one firm's, the name another's"),
    "not_then": Text("该企业当日不用此名称", "the firm did not bear this name on that day"),
    "elsewhere": Text("名称相同，但不在同一县区", "same name, but in another county"),
    "other_industry": Text("该企业所属行业不生产此产品", "no firm of its industry makes this product"),
    "place": Text("名称所写的地名不同或有缺省", "the name leaves out a place or names another one"),
    "related": Text("字号相同，组织形式或分支机构不同", "same core name, another legal form or branch"),
    "near": Text("名称相近", "a similar name"),
    MANUAL: Text("人工确认", "decided by a person"),
    UNDONE: Text("已撤销，待重新确认", "taken back, to be decided again"),
}

_STATES = """
SELECT l.*, i.sample_date::VARCHAR AS day FROM ({latest}) l JOIN inspections i ON {holds}
WHERE l.decision <> 'none' ORDER BY i.sample_date, l.sample_no
"""
_SAMPLE = """
SELECT sample_no, coalesce(uscc, '') AS uscc, firm_name, sample_date::VARCHAR AS day FROM inspections
WHERE sample_no = ?
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinkGroup:
    """All samples on which one printed firm stands in one relation to one registered firm.

    Parameters
    ----------
    id : str
        Of the printed firm and the registered one; the same in every listing.
    decision : {"accept", "reject", "doubt"}
        What holds now.
    decided_by : str
        ``qbase`` for a rule.
    name_printed, uscc_printed : str
        As the deliveries print it.
    firm_id, name_known : str
        The firm it was compared with.
    method : str
        How it was found, or why it was doubted (`explain_method`); several with blanks between them.
    score : float
        Similarity of both names, 0 to 100.
    samples : tuple of str
        Sample numbers, oldest first.
    first_day, last_day : str
        ISO dates of the first and the last of them.

    Examples
    --------
    >>> import shutil
    >>> from qbase.intake import decide_link, list_links
    >>> from qbase.lake import open_workspace
    >>> home = open_workspace(shutil.copytree(open_workspace().root, "home_link_group"))
    >>> done = decide_link(home, "YZ2024Q4G0012", "F00222", "accept", decided_by="Li")
    >>> group = list_links(home, "decided")[0]
    >>> group.name_printed, group.samples, group.decided_by
    ('桐屿华佳化纤有限公司', ('YZ2024Q4G0012',), 'Li')
    """

    id: str
    decision: str
    decided_by: str
    name_printed: str
    uscc_printed: str
    firm_id: str
    name_known: str
    method: str
    score: float
    samples: tuple[str, ...]
    first_day: str
    last_day: str

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return dataclasses.asdict(self) | {"samples": list(self.samples)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decided:
    """What a decision changed.

    Parameters
    ----------
    samples : int
        Samples with a new row in the diary; 0 when it said so already.
    snapshot : str
        Snapshot that holds it.

    Examples
    --------
    >>> from qbase.intake import Decided
    >>> Decided(samples=3, snapshot="S0013")
    Decided(samples=3, snapshot='S0013')
    """

    samples: int
    snapshot: str


def explain_method(method: str) -> Text:
    """Say in words how links were found or why they are doubted; an unknown method stands for itself.

    Examples
    --------
    >>> from qbase.intake import explain_method
    >>> explain_method("name_exact elsewhere").en
    'same name; same name, but in another county'
    """
    told = [REASONS.get(each, Text(each, each)) for each in method.split()]
    return Text("；".join(text.zh for text in told), "; ".join(text.en for text in told))


def link_id(uscc: str, name: str, firm_id: str) -> str:
    """Return the id of a printed firm and a registered one; its letter keeps spreadsheets from reading a number."""
    return "L" + hashlib.sha256("\0".join((uscc, name, firm_id)).encode()).hexdigest()[:10]


def read_states(workspace: Workspace, at: Snapshot) -> list[dict[str, Any]]:
    """Return what holds for every printed firm of the diary, oldest sample first, each with its ``id``."""
    if "inspections" not in at.versions:
        return []
    sql = _STATES.format(latest=latest_sql(at), holds=HOLDS_SQL)
    rows = workspace.arrow(sql, snapshot=at).to_pylist()
    return [{**row, "id": link_id(row["uscc_printed"], row["name_printed"], row["firm_id"])} for row in rows]


def list_links(workspace: Workspace, kind: Kind = "queued", *, snapshot: str | None = None) -> list[LinkGroup]:
    """List links by printed firm: those in doubt, or those decided by a rule or a person.

    Parameters
    ----------
    workspace : Workspace
        Where the diary lies.
    kind : {"queued", "decided"}
        Which ones.
    snapshot : str or None
        The latest when None.

    Returns
    -------
    list of LinkGroup
        Those with most samples first.

    Raises
    ------
    UsageError
        No such snapshot (QB209).

    Examples
    --------
    >>> import shutil
    >>> from qbase.intake import decide_link, list_links
    >>> from qbase.lake import open_workspace
    >>> home = open_workspace(shutil.copytree(open_workspace().root, "home_list_links"))
    >>> done = decide_link(home, "YZ2024Q4G0012", "F00222", "accept")
    >>> len(list_links(home)), [group.firm_id for group in list_links(home, "decided")]
    (0, ['F00222'])
    """
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in read_states(workspace, workspace.snapshot(snapshot)):
        if (row["decision"] == "doubt") == (kind == "queued"):
            # one line for one question, whatever reasons there are; an answer has an author
            key = (row["id"],) if kind == "queued" else (row["id"], row["decision"], row["decided_by"])
            groups.setdefault(key, []).append(row)
    found = [_group(rows) for rows in groups.values()]
    return sorted(found, key=lambda g: (-len(g.samples), g.name_printed, g.id, g.decided_by))


def _group(rows: Sequence[Mapping[str, Any]]) -> LinkGroup:
    facts = {field.name: rows[0][field.name] for field in dataclasses.fields(LinkGroup) if field.name in rows[0]}
    facts["method"] = " ".join(sorted({row["method"] for row in rows}))
    return LinkGroup(
        **facts,
        samples=tuple(row["sample_no"] for row in rows),
        first_day=rows[0]["day"],
        last_day=rows[-1]["day"],
    )


def decide_link(
    workspace: Workspace, word: str, firm_id: str | None, decision: Decision, *, decided_by: str = "user"
) -> Decided:
    """Record what a person decides on a printed firm; it holds from the next snapshot on.

    Parameters
    ----------
    workspace : Workspace
        Where the samples lie.
    word : str
        A sample number, or the id of a `LinkGroup`: its samples in doubt, or else those decided by a person, or all.
    firm_id : str or None
        The firm; None is the one in question.
    decision : {"accept", "reject"}
        ``reject`` refuses a firm, also one that a rule linked; it stays refused.
    decided_by : str
        Who decides.

    Raises
    ------
    DataError
        There is no such sample or id (QB355), no such firm (QB343), or the code of the sample is that firm's (QB357).
    UsageError
        No firm is in question, so one has to be named (QB356).
    SetupError
        The lake is locked too long (QB206), or cannot be written (QB207).

    Examples
    --------
    >>> import shutil
    >>> from qbase.intake import decide_link
    >>> from qbase.lake import open_workspace
    >>> home = open_workspace(shutil.copytree(open_workspace().root, "home_decide_link"))
    >>> decide_link(home, "YZ2024Q4G0012", "F00222", "accept").samples
    1
    """
    at = workspace.snapshot()
    states = standing(find_states(workspace, at, word))
    firms = read_firms(workspace, at, [firm_id, *(state["firm_id"] for state in states)])
    rows = decision_rows(states, firm_id, decision, decided_by, firms)
    return Decided(samples=len(rows), snapshot=write_links(workspace, rows).id)


def undo_link(workspace: Workspace, word: str, *, decided_by: str = "user") -> Decided:
    """Take the latest decision on a printed firm back, as a new row of the diary.

    Parameters
    ----------
    workspace : Workspace
        Where the diary lies.
    word : str
        A sample number, or the id of a `LinkGroup` for all its samples.
    decided_by : str
        Who takes it back.

    Raises
    ------
    DataError
        There is no such sample or id (QB355), or nothing to take back (QB358).
    SetupError
        The lake is locked too long (QB206), or cannot be written (QB207).

    Examples
    --------
    >>> import shutil
    >>> from qbase.intake import decide_link, list_links, undo_link
    >>> from qbase.lake import open_workspace
    >>> home = open_workspace(shutil.copytree(open_workspace().root, "home_undo_link"))
    >>> done = decide_link(home, "YZ2024Q4G0012", "F00222", "accept")
    >>> undo_link(home, "YZ2024Q4G0012").samples, list_links(home, "decided")
    (1, [])
    """
    at = workspace.snapshot()
    samples = [row["sample_no"] for row in find_states(workspace, at, word)]
    rows = undo_rows(workspace, at, samples, decided_by)
    if not rows:
        raise DataError("QB358", word=word, found=f"{word}: 0", expected=">= 1", fix="qbase links list --decided")
    return Decided(samples=len(rows), snapshot=write_links(workspace, rows).id)


def find_states(workspace: Workspace, at: Snapshot, word: str) -> list[dict[str, Any]]:
    """Return the states a word names: a sample number, or the id of a group.

    Raises
    ------
    DataError
        It names none (QB355).
    """
    states = read_states(workspace, at)
    found = [row for row in states if row["sample_no"] == word] or [row for row in states if row["id"] == word]
    if found:
        return found
    samples = workspace.arrow(_SAMPLE, params=(word,), snapshot=at).to_pylist() if "inspections" in at.versions else []
    if not samples:
        raise DataError(
            "QB355",
            word=word,
            found=word,
            expected="sample_no of inspections, or an id of qbase links list",
            fix="qbase links list",
        )
    blank = {"firm_id": "", "name_known": "", "decision": "none", "decided_by": BY_RULE, "score": 0.0}
    return [{**blank, "uscc_printed": s["uscc"], "name_printed": s["firm_name"], **s} for s in samples]


def standing(states: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Return the states in doubt; where none is, those a person decided; where there are none either, all."""
    doubts = [state for state in states if state["decision"] == "doubt"]
    return doubts or [state for state in states if state["decided_by"] != BY_RULE] or states


def decision_rows(
    states: Sequence[Mapping[str, Any]],
    firm_id: str | None,
    decision: Decision,
    decided_by: str,
    firms: Mapping[str, tuple[str, str]],
) -> list[dict[str, Any]]:
    """Return the rows a decision on samples adds to the diary; what a person said already adds none.

    Parameters
    ----------
    states : sequence of mapping
        From `find_states`.
    firm_id : str or None
        The firm; None is the one in question.
    decision : {"accept", "reject"}
        What is said.
    decided_by : str
        Who says it.
    firms : mapping
        From `read_firms`.

    Raises
    ------
    DataError
        There is no such firm (QB343), or the code of a sample is that firm's (QB357).
    UsageError
        No firm is in question (QB356).
    """
    rows = []
    for state in states:
        firm = firm_id or state["firm_id"]
        word = state["sample_no"]
        if not firm:
            raise UsageError(
                "QB356",
                word=word,
                found=f"{word}: {state['name_printed']}",
                expected="--firm FIRM_ID",
                fix=f"qbase links {decision} {word} --firm FIRM_ID",
            )
        if firm not in firms:
            raise DataError("QB343", found=firm, expected="firm_id of firms", fix="qbase links list")
        name, code = firms[firm]
        if decision == "reject" and code and code == state["uscc_printed"]:
            raise DataError(
                "QB357",
                word=word,
                found=f"{word}: {code} = {firm}",
                expected="a sample whose code is not that firm's",
                fix=f"qbase links accept {word} --firm FIRM_ID",
            )
        said: State = decision
        if (state["decision"], state["firm_id"]) == (said, firm) and state["decided_by"] != BY_RULE:
            continue
        printed = Printed(uscc=state["uscc_printed"], name=state["name_printed"], day=state["day"])
        score = float(state["score"]) if firm == state["firm_id"] else 0.0
        match = Match(decision="accept", firm_id=firm, known=name, method=MANUAL, score=score)
        rows.append(link_row(word, printed, match, decision=said, decided_by=decided_by))
    return rows


def read_firms(workspace: Workspace, at: Snapshot, firm_ids: Iterable[str | None]) -> dict[str, tuple[str, str]]:
    """Return name and code of registered firms; those that are not registered are left out."""
    wanted = sorted({firm for firm in firm_ids if firm})
    if "firms" not in at.versions or not wanted:
        return {}
    sql = "SELECT firm_id, firm_name, coalesce(uscc, '') AS uscc FROM firms WHERE list_contains(?, firm_id)"
    rows = workspace.arrow(sql, params=(wanted,), snapshot=at).to_pylist()
    return {row["firm_id"]: (row["firm_name"], row["uscc"]) for row in rows}
