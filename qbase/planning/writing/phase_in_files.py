"""The locked plan of a phase-in: a policy file whose head tells the lot, so that anybody can draw it again."""

from __future__ import annotations

import datetime
import hashlib
import json
import pathlib
import tomllib
from collections.abc import Sequence
from typing import Any

import pandas as pd

from qbase.core.errors import DataError, UsageError
from qbase.core.periods import parse_period
from qbase.core.whole_files import write_atomic
from qbase.indicators.catalogue.indicator_rows import find_indicator
from qbase.planning.drawing.committed_seed import Commitment, build_seed, list_digest
from qbase.planning.drawing.phase_in_lot import PhaseIn, closed_list, lot_numbers

FORM = "qbase-phase-in-1"
MARK = "# "
BODY = """\
# 抽签决定的先后：近乎并列的集群谁先开始由抽签定，不得更改。
# An order by lot: which of the near-tied clusters starts first was drawn, and stays.

[policy]
id = {id}
name = {name}
name_en = {name_en}

[dates]
effective = {effective}
source = {source}
confidence = "document"

{spells}
[plan]
outcome = {outcome}
population = "{n} 个近乎并列的候选集群，{k} 个先后开始 / {n} near-tied candidates, {k} of them start"
weight = "equal"
window = "开始前全部季度，至 {last} 后 {after} 季 / all quarters before, up to {after} after {last}"
comparator = "抽签排在后面、尚未开始的集群 / clusters the lot lets wait"
inference = "采用时间的置换 / permutation of adoption dates"
decision_dates = [{decisions}]
locked = {locked}
"""


def write_phase_in(
    lot: PhaseIn,
    path: pathlib.Path,
    *,
    policy_id: str,
    name: str,
    outcome: str,
    signed_on: datetime.date,
    source: str,
    name_en: str = "",
    decision_dates: Sequence[datetime.date] = (),
    after: int = 8,
) -> str:
    """Write the locked plan of a phase-in as a policy file; a file that is there already stays.

    `qbase policy check`, `add` and `lock` read it like any other. Its head holds the commitment, the secret
    now revealed, the seed, the candidates and the hash of all of it.

    Parameters
    ----------
    lot : PhaseIn
        Of `draw_phase_in`.
    path : pathlib.Path
        Usually ``data/policies/ID.toml``; written whole or not at all.
    policy_id, name, name_en : str
        Of the policy to come.
    outcome : str
        Id of the indicator it is judged by.
    signed_on : datetime.date
        Day on which the plan was signed off.
    source : str
        Where the dates come from, such as the number of the minutes of the lot.
    decision_dates : sequence of datetime.date
        Days on which a conclusion will be drawn.
    after : int
        Quarters after the last start the evaluation takes.

    Returns
    -------
    str
        SHA-256 of the contents, 64 hexadecimal digits.

    Raises
    ------
    UsageError
        The file exists (QB639), or there is no such indicator (QB401).

    Examples
    --------
    >>> import datetime, pathlib
    >>> import pandas as pd
    >>> from qbase.planning import draw_phase_in, build_commitment, verify_phase_in, write_phase_in
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import build_shortlist, read_gates
    >>> workspace, secret = open_workspace(), "5d" * 32
    >>> lot = draw_phase_in(
    ...     build_shortlist(workspace, read_gates(workspace, "outline_2025")), n=2, first="2027Q1", secret=secret,
    ...     commitment=build_commitment(secret, datetime.date(2026, 11, 3)), closed=datetime.date(2026, 12, 1),
    ... )
    >>> path, day = pathlib.Path("next-bases.toml"), datetime.date(2026, 12, 2)
    >>> digest = write_phase_in(
    ...     lot, path, policy_id="next-bases", name="下一批基地", outcome="D1.batch", signed_on=day, source="抽签记录"
    ... )
    >>> verify_phase_in(path).starts == lot.starts
    True
    """
    if path.exists():
        raise UsageError(
            "QB639", found=path.name, expected="a file that does not exist yet", fix=f"write {path.stem}-2.toml"
        )
    find_indicator(outcome)
    starts = sorted(lot.starts.items(), key=lambda s: (s[1], s[0]))
    names = dict(zip(lot.order["entity"], lot.order["name_zh"], strict=True))
    spells = "\n".join(f"[[spell]]  # {names[e]}\ncluster = {_quoted(e)}\nstart = {_quoted(q)}\n" for e, q in starts)
    first = parse_period(starts[0][1], "Q").start_time.date()
    body = BODY.format(
        id=_quoted(policy_id), name=_quoted(name), name_en=_quoted(name_en or name), effective=first.isoformat(),
        source=_quoted(source), spells=spells, outcome=_quoted(outcome), n=len(lot.order), k=len(starts),
        last=starts[-1][1], after=after, decisions=", ".join(_quoted(d.isoformat()) for d in decision_dates),
        locked=signed_on.isoformat(),
    )  # fmt: skip
    held = _head(lot)
    digest = _digest(held, body)
    write_atomic(path, "".join(map(_line, (held | {"sha256": digest}).items())) + body)
    return digest


def verify_phase_in(path: pathlib.Path) -> PhaseIn:
    """Verify that a plan is the one that was locked and that its order is that of the lot; return it.

    Parameters
    ----------
    path : pathlib.Path
        Of `write_phase_in`.

    Returns
    -------
    PhaseIn
        Without the numbers of criteria, which the file does not hold.

    Raises
    ------
    DataError
        It is no such file, was changed since, or its order is not what the seed gives (QB638); the secret is not the
        one published in time (QB626).

    Examples
    --------
    >>> import pathlib
    >>> from qbase.planning import verify_phase_in
    >>> path = pathlib.Path("other.toml")
    >>> _ = path.write_text("[policy]", encoding="utf-8")
    >>> verify_phase_in(path)
    Traceback (most recent call last):
        ...
    qbase.core.errors.DataError: error[QB638] this is not the order by lot that was locked
      found     other.toml: another file
      expected  qbase-phase-in-1
      ...
    """
    head, body = _parts(path)
    if (digest := _digest(head, body)) != head.get("sha256"):
        raise _changed(path, f"sha256 {head.get('sha256')} in the head", f"{digest} of its contents")
    try:
        candidates = pd.DataFrame(head["candidates"], columns=["entity", "name_zh", "tier", "start"])
        lot = PhaseIn(
            order=candidates.assign(number=lot_numbers(candidates["entity"], head["seed"])), secret=head["secret"],
            seed=head["seed"],
            commitment=Commitment(digest=head["commitment"], day=datetime.date.fromisoformat(head["published"])),
            closed=datetime.date.fromisoformat(head["closed"]),
        )  # fmt: skip
        spells = {s["cluster"]: s["start"] for s in tomllib.loads(body).get("spell", [])}
    except (KeyError, ValueError, TypeError) as error:
        raise _changed(path, f"{type(error).__name__} in the head", FORM) from error
    seed = build_seed(lot.secret, lot.commitment, closed_list(candidates["entity"], candidates["tier"]), lot.closed)
    if seed != lot.seed:
        raise _changed(path, f"seed {lot.seed[:12]}…", f"{seed[:12]}… of the secret and the candidates")
    drawn = lot.order.sort_values(["tier", "number"])["entity"].tolist()
    if drawn != candidates["entity"].tolist() or spells != lot.starts:
        raise _changed(path, "an order other than the seed gives", ", ".join(drawn))
    return lot


def _head(lot: PhaseIn) -> dict[str, Any]:
    rows = lot.order[["entity", "name_zh", "tier", "start"]].to_numpy().tolist()
    return {
        "form": FORM, "commitment": lot.commitment.digest,
        "published": lot.commitment.day.isoformat(), "closed": lot.closed.isoformat(), "secret": lot.secret,
        "seed": lot.seed,
        "list": list_digest(closed_list(lot.order["entity"], lot.order["tier"])), "candidates": rows,
    }  # fmt: skip


def _line(item: tuple[str, Any]) -> str:
    return f"{MARK}{item[0]} = {json.dumps(item[1], ensure_ascii=False)}\n"


def _digest(head: dict[str, Any], body: str) -> str:
    plain = {key: value for key, value in head.items() if key != "sha256"}
    return hashlib.sha256((json.dumps(plain, sort_keys=True) + body).encode()).hexdigest()


def _parts(path: pathlib.Path) -> tuple[dict[str, Any], str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _changed(path, f"{path.name}: {type(error).__name__}", FORM) from error
    lines = text.splitlines(keepends=True)
    held: dict[str, Any] = {}
    used = 0
    for line in lines:
        key, is_pair, value = line.removeprefix(MARK).partition(" = ")
        if not (line.startswith(MARK) and is_pair and key.isalnum()):
            break
        try:
            held[key] = json.loads(value)
        except ValueError:
            break
        used += 1
    if held.get("form") != FORM:
        raise _changed(path, f"{path.name}: another file", FORM)
    return held, "".join(lines[used:])


def _changed(path: pathlib.Path, found: str, expected: str) -> DataError:
    fix = f"take {path.name} as it was locked, or draw anew under a new commitment"
    return DataError("QB638", found=found, expected=expected, fix=fix)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
