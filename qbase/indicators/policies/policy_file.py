"""A town's own policy: one TOML file, checked word by word, then loaded like any delivery."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

import duckdb
import pyarrow as pa

from qbase.core.errors import DataError, QbaseError, UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.periods import parse_period
from qbase.core.policy import Confidence, Policy, PolicyDate, Spell
from qbase.core.text import Text
from qbase.indicators.catalogue.indicator_rows import find_indicator
from qbase.indicators.policies.policy_places import settle_places
from qbase.indicators.policies.policy_rules import check_new, check_sense, find_rarities, misfit, read_instruments
from qbase.indicators.policies.policy_spells import DATES
from qbase.indicators.policies.policy_words import (
    LOCKED_ALONE,
    MANY,
    ONCE,
    WHO,
    entries_of,
    find_faults,
    find_rounded,
    place_of,
    raise_all,
    read_policy_words,
    settle_days,
)
from qbase.lake import Delivery
from qbase.tables import check_rows_sql, read_contract, typed_select_sql

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

DEFAULTS: dict[str, dict[str, Any]] = {
    "policy": {"kind": "binary"},
    "dose": {**{f"w{i}": 0 for i in range(1, 8)}, **{f"s{i}": False for i in range(1, 6)}},
}
RECIPE = "policy_file"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PolicyFile:
    """A policy file that keeps every rule, as the rows it becomes.

    Parameters
    ----------
    policy : Policy
        As estimators will see it, by quarter.
    tables : mapping
        Table of the lake -> typed rows: policies, spells, and targets and instruments where stated.
    names : mapping
        Id of the cluster, town or firm -> its name.
    is_loaded : bool
        Whether the same bytes were loaded before; loading them again changes nothing.
    warnings : tuple of Text
        What is allowed and rare: a policy that took effect before it was announced, a date written as a quarter.

    Examples
    --------
    >>> from qbase.indicators import PolicyFile, build_policy
    >>> from qbase.lake import open_workspace
    >>> PolicyFile(policy=build_policy(open_workspace(), "base"), tables={}, names={}).policy
    <Policy base: 5 treated, binary>
    """

    policy: Policy
    tables: Mapping[str, pa.Table]
    names: Mapping[str, str]
    is_loaded: bool = False
    warnings: tuple[Text, ...] = ()


def read_policy_file(workspace: Workspace, path: str | pathlib.Path) -> PolicyFile:
    """Read and check a policy file against the contracts and the lake; nothing is loaded.

    Parameters
    ----------
    workspace : Workspace
        Its tables clusters, towns and firms say who can be treated.
    path : str or pathlib.Path
        TOML.

    Returns
    -------
    PolicyFile

    Raises
    ------
    UsageError
        Not a readable TOML file (QB445), an unknown word (QB446), an unknown indicator (QB401), or
        instruments that are unknown or more than two (QB456).
    DataError
        Something is missing (QB447), a value does not fit (QB448), a cluster, town or firm is unknown (QB449), the
        lake has the policy, its targets or its doses already (QB450), or no table of those named (QB403).
    PolicyError
        Nobody is treated (QB130), or spells overlap (QB131).

    Examples
    --------
    >>> import pathlib
    >>> from qbase.indicators import read_policy_file
    >>> from qbase.lake import open_workspace
    >>> _ = pathlib.Path("typo.toml").write_text('policy = {id = "bases", titel = "优质产品生产基地"}', "utf-8")
    >>> read_policy_file(open_workspace(), "typo.toml")
    Traceback (most recent call last):
    qbase.core.errors.UsageError: error[QB446] a policy file has no word "titel" (and 1 more)
      found     1) [policy] titel; 2) no [policy] name, [dates] effective, [dates] source, [dates] confidence
      expected  1) id · name · name_en · kind · issuer · document_no; ...
    """
    raw = read_policy_words(pathlib.Path(path))
    faults = list(find_faults(raw))
    said = settle_days(raw, faults)
    _find_unknown_names(said, faults)
    names = settle_places(workspace, [*entries_of(said, "spell"), *entries_of(said, "dose")], faults)
    raise_all(faults)
    rows = _rows(said)
    policy = _policy(said)
    is_loaded = _is_loaded(workspace, pathlib.Path(path))
    tables = {table: _typed(table, entries, faults) for table, entries in rows.items() if entries}
    raise_all(faults)
    check_sense(policy, rows["targets"])
    if not is_loaded:
        check_new(workspace, policy.policy_id, tables)
    warnings = (*_say_rounded(raw), *find_rarities(policy))
    return PolicyFile(policy=policy, tables=tables, names=names, is_loaded=is_loaded, warnings=warnings)


def _find_unknown_names(raw: Mapping[str, Any], faults: list[QbaseError]) -> None:
    for section, word in (("target", "indicator"), ("plan", "outcome")):
        for entry in entries_of(raw, section):
            try:
                find_indicator(str(entry[word])) if word in entry else None
            except UsageError as fault:
                faults.append(fault)
    for entry in entries_of(raw, "plan"):
        try:
            read_instruments(entry.get("instruments", []))
        except UsageError as fault:
            faults.append(fault)


def _say_rounded(raw: Mapping[str, Any]) -> list[Text]:
    return [
        Text(f"{place} 写的是 {text}，按 {day} 记录", f"{place} says {text}, which is taken as {day}")
        for place, text, day in find_rounded(raw)
    ]


def add_policy(workspace: Workspace, path: str | pathlib.Path) -> tuple[PolicyFile, Snapshot]:
    """Load a policy file as a delivery: all of its tables become visible at once.

    Parameters
    ----------
    workspace, path
        As for `read_policy_file`.

    Returns
    -------
    tuple of (PolicyFile, Snapshot)
        What was loaded, and the snapshot it made.

    Raises
    ------
    UsageError, DataError, PolicyError
        As `read_policy_file`; nothing is loaded then.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from qbase.indicators import add_policy
    >>> from qbase.intake import load_files
    >>> from qbase.lake import Workspace, open_workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> _ = load_files(home, [open_workspace().root / "data/raw/demo/tidy/产业集群.csv"])
    >>> _ = pathlib.Path("bases.toml").write_text('''policy = {id = "bases", name = "优质产品生产基地"}
    ... spell = [{cluster = "K003", start = "2023Q1"}]
    ... dates = {effective = 2023-01-05, source = "notice no. 3", confidence = "document"}''', "utf-8")
    >>> add_policy(home, "bases.toml")[0].policy
    <Policy bases: 1 treated, binary>
    """
    found = read_policy_file(workspace, path)
    sha256, _ = workspace.store_raw(path)
    rows = sum(table.num_rows for table in found.tables.values())
    delivery = Delivery(
        sha256=sha256, file_name=pathlib.Path(path).name, table="policies", recipe=RECIPE, producer=_producer(found),
        warnings=tuple(w.en for w in found.warnings), verdict="OK", rows_seen=rows, accepted=rows,
    )  # fmt: skip
    tables = {name: _with_origin(table, sha256) for name, table in found.tables.items()}
    return found, workspace.commit(delivery, tables)


def _is_loaded(workspace: Workspace, path: pathlib.Path) -> bool:
    seen = workspace.deliveries(["policies"])
    return hashlib.sha256(path.read_bytes()).hexdigest() in set(seen["sha256"])


def _producer(found: PolicyFile) -> str:
    return str(found.tables["policies"]["issuer_name"][0].as_py() or "")


def _with_origin(table: pa.Table, sha256: str) -> pa.Table:
    rows = table.num_rows
    return (
        table.append_column("delivery_sha256", pa.array([sha256] * rows, pa.string()))
        .append_column("sheet", pa.array([""] * rows, pa.string()))
        .append_column("row_no", pa.array(range(1, rows + 1), pa.int64()))
    )


def _text(place: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()[:10]
    if isinstance(value, str | int | float):
        return str(value).strip()
    raise misfit(place, f"{type(value).__name__} {value!r}", "text, a number, a date or true/false", f"correct {place}")


def _rows(raw: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Return the rows of each table as text, by column of the contract."""
    policy_id = str(raw["policy"]["id"]).strip()
    head: dict[str, str] = {}
    for section, words in ONCE.items():
        stated = {**DEFAULTS.get(section, {}), **raw.get(section, {})}
        head |= {words[w]: _text(place_of(section, w), v) for w, v in stated.items() if words[w] != LOCKED_ALONE}
    tables: dict[str, list[dict[str, str]]] = {"policies": [head]}
    for section, (table, words) in MANY.items():
        rows = tables.setdefault(table, [])
        for number, entry in enumerate(entries_of(raw, section), start=1):
            stated = {**DEFAULTS.get(section, {}), **entry}
            row = {words[w]: _text(place_of(section, w), v) for w, v in stated.items()}
            if section != "dose":
                row["policy_id"] = policy_id
            if section == "target":
                row.setdefault("target_id", f"{policy_id}-{number}")
                row.setdefault("unit_code", find_indicator(row["indicator_id"]).indicator.unit)
            rows.append(row)
    return tables


def _policy(raw: Mapping[str, Any]) -> Policy:
    """Build the policy as estimators see it, which checks its spells."""
    head, dates = raw["policy"], raw["dates"]
    if (sure := dates["confidence"]) not in (known := get_args(Confidence)):
        raise misfit("[dates] confidence", repr(sure), " | ".join(known), suggest_names(sure, known))
    spells = []
    for entry in entries_of(raw, "spell"):
        start, end = (parse_period(entry[w], "Q") if w in entry else None for w in ("start", "end"))
        who = next(str(entry[kind]) for kind in WHO if kind in entry)
        if start is not None:
            spells.append(Spell(entity=who, start=start, end=end))
    return Policy(
        policy_id=str(head["id"]).strip(),
        title=Text(str(head["name"]), str(head.get("name_en") or head["name"])),
        spells=tuple(spells),
        dates={
            d: PolicyDate(on=_text("[dates]", dates[d]), source=str(dates["source"]), confidence=dates["confidence"])
            for d in DATES
            if d in dates
        },
    )


def _typed(table: str, rows: list[dict[str, str]], faults: list[QbaseError]) -> pa.Table:
    """Return rows in the types of their contract; what is wrong with them joins the faults."""
    contract = read_contract(table)
    columns = {c: pa.array([r.get(c) or None for r in rows], pa.string()) for c in contract.column_names}
    keys = [tuple(r.get(k) for k in contract.key) for r in rows]
    doubled = [k for i, k in enumerate(keys) if k in keys[:i]]
    one = f"one row for each {', '.join(contract.key)}"
    faults += [misfit(table, " ".join(map(str, k)), one, "remove one") for k in dict.fromkeys(doubled)]
    with duckdb.connect(config={"enable_external_access": "false"}) as db:
        db.register("given", pa.table(columns))
        wrong = db.execute(f"SELECT * FROM ({check_rows_sql(contract, 'given')}) WHERE len(reasons) > 0").fetchall()  # noqa: S608
        names = [d[0] for d in db.description or ()]
        faults += [_broken(table, dict(zip(names, row, strict=True))) for row in wrong]
        return pa.table(columns) if wrong else db.sql(typed_select_sql(contract, "given")).to_arrow_table()


def _broken(table: str, row: Mapping[str, Any]) -> DataError:
    contract = read_contract(table)
    column, _, kind = str(row["reasons"][0]).partition(":")
    if column == "rule":
        rule = next(r for r in contract.rules if r.code == kind)
        involved = [c for c in contract.column_names if c in rule.sql]
        found = ", ".join(f"{c} {row[c]}" for c in involved)
        return misfit(_home(table, involved[0]), found, rule.text.en, f"correct {' or '.join(involved)}")
    place, value, rule_of = _home(table, column), row[column], contract.column(column)
    if kind == "enum" or rule_of.values:
        known = list(rule_of.values)
        return misfit(place, repr(value), " | ".join(known), suggest_names(str(value), known))
    examples = {"date": "a date such as 2022-08-10", "quarter": "a quarter such as 2022Q3", "missing": "a value"}
    bounds = f"{rule_of.min if rule_of.min is not None else ''} … {rule_of.max if rule_of.max is not None else ''}"
    return misfit(place, repr(value), examples.get(kind, bounds if kind == "range" else kind), f"correct {place}")


def _home(table: str, column: str) -> str:
    """Return where a column stands in the file."""
    for section, words in (*ONCE.items(), *((s, w) for s, (_, w) in MANY.items())):
        if table == ("policies" if section in ONCE else MANY[section][0]):
            for word, name in words.items():
                if name == column:
                    return place_of(section, word)
    return f"{table}.{column}"
