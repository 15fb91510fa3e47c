"""A town's own policy: one TOML file, checked word by word, then loaded like any delivery."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import pathlib
import tomllib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

import duckdb
import pyarrow as pa

from qbase.core.errors import DataError, UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.periods import parse_period
from qbase.core.policy import Confidence, Policy, PolicyDate, Spell
from qbase.core.text import Text
from qbase.indicators.catalogue.indicator_rows import find_indicator
from qbase.indicators.cells.inspection_window import require_table
from qbase.indicators.policies.policy_rules import check_new, check_sense, find_rarities, misfit
from qbase.indicators.policies.policy_spells import DATES
from qbase.lake import Delivery
from qbase.tables import check_rows_sql, read_contract, typed_select_sql

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

ONCE: dict[str, dict[str, str]] = {
    "policy": {
        "id": "policy_id", "name": "policy_name", "name_en": "policy_name_en", "kind": "kind", "issuer": "issuer_name",
        "document_no": "document_no",
    },
    "dates": {**{d: f"{d}_date" for d in DATES}, "source": "date_source", "confidence": "date_confidence"},
    "plan": {
        "outcome": "plan_outcome", "population": "plan_population", "weight": "plan_weight", "window": "plan_window",
        "comparator": "plan_comparator", "inference": "plan_inference", "locked": "plan_locked_date",
    },
}  # fmt: skip
MANY: dict[str, tuple[str, dict[str, str]]] = {
    "spell": (
        "spells",
        {"cluster": "entity_id", "start": "start_quarter", "end": "end_quarter", "group": "group_name"},
    ),
    "target": (
        "targets",
        {
            "id": "target_id", "horizon": "horizon", "indicator": "indicator_id", "population": "population",
            "words": "words", "value": "value", "unit": "unit_code",
        },
    ),
    "dose": (
        "instruments",
        {
            "cluster": "cluster_id", "quarter": "quarter", **{f"w{i}": f"dose_w{i}" for i in range(1, 8)},
            **{f"s{i}": f"has_s{i}" for i in range(1, 6)},
        },
    ),
}  # fmt: skip
DEFAULTS: dict[str, dict[str, Any]] = {
    "policy": {"kind": "binary"},
    "dose": {**{f"w{i}": 0 for i in range(1, 8)}, **{f"s{i}": False for i in range(1, 6)}},
}
NEEDED = (("policy", "id"), ("policy", "name"), ("dates", "effective"), ("dates", "source"), ("dates", "confidence"))
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
        Cluster -> its name.
    is_loaded : bool
        Whether the same bytes were loaded before; loading them again changes nothing.
    warnings : tuple of Text
        What is allowed and rare: a policy that took effect before it was announced.

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
        Its table clusters says which clusters there are.
    path : str or pathlib.Path
        TOML.

    Returns
    -------
    PolicyFile

    Raises
    ------
    UsageError
        Not a readable TOML file (QB445), an unknown word (QB446), or an unknown indicator (QB401).
    DataError
        Something is missing (QB447), a value does not fit (QB448), a cluster is unknown (QB449), the lake has the
        policy, its targets or its doses already (QB450), or no table of clusters (QB403).
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
    qbase.core.errors.UsageError: error[QB446] a policy file has no word "titel"
      found     [policy] titel
      expected  id · name · name_en · kind · issuer · document_no ...
    """
    raw = _read(pathlib.Path(path))
    _check_words(raw)
    _check_needed(raw)
    rows = _rows(raw)
    names = _check_clusters(workspace, rows)
    policy = _policy(raw)
    is_loaded = _is_loaded(workspace, pathlib.Path(path))
    for section, column in (("target", "indicator"), ("plan", "outcome")):
        for entry in _entries(raw, section):
            if column in entry:
                find_indicator(str(entry[column]))
    tables = {table: _typed(table, entries, raw) for table, entries in rows.items() if entries}
    check_sense(policy, rows["targets"])
    if not is_loaded:
        check_new(workspace, policy.policy_id, tables)
    return PolicyFile(policy=policy, tables=tables, names=names, is_loaded=is_loaded, warnings=find_rarities(policy))


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


def _read(path: pathlib.Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        found = f"{type(error).__name__}: {error}" if isinstance(error, UnicodeDecodeError) else str(error)
        raise UsageError(
            "QB445", file=path.name, found=" ".join(found.split()),
            expected='TOML such as: [policy]  id = "zhili"  name = "…"',
            fix=f"correct {path.name}, then: qbase policy check {path.name}",
        ) from error  # fmt: skip


def _words(section: str) -> Mapping[str, str]:
    return ONCE[section] if section in ONCE else MANY[section][1]


def _entries(raw: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    value = raw.get(section, [])
    return value if isinstance(value, list) else [value]


def _place(section: str, word: str = "") -> str:
    head = f"[{section}]" if section in ONCE else f"[[{section}]]"
    return f"{head} {word}".rstrip()


def _check_words(raw: Mapping[str, Any]) -> None:
    for section, value in raw.items():
        if section not in ONCE and section not in MANY:
            raise _unknown(section, section, [*ONCE, *MANY])
        is_list = isinstance(value, list) and all(isinstance(v, dict) for v in value)
        if not (isinstance(value, dict) if section in ONCE else is_list):
            raise misfit(_place(section), type(value).__name__, _place(section), "see docs: one table, or a list")
        for entry in _entries(raw, section):
            for word in entry:
                if word not in _words(section):
                    raise _unknown(word, _place(section, word), list(_words(section)))


def _unknown(word: str, found: str, known: Sequence[str]) -> UsageError:
    return UsageError(
        "QB446", word=word, found=found, expected=" · ".join(known), fix=suggest_names(word, known, shown=len(known))
    )


def _check_needed(raw: Mapping[str, Any]) -> None:
    missing = [_place(s, w) for s, w in NEEDED if not str(raw.get(s, {}).get(w, "")).strip()]
    for section, words in (("spell", ("cluster", "start")), ("dose", ("cluster", "quarter"))):
        missing += [_place(section, w) for e in _entries(raw, section) for w in words if w not in e]
    for entry in _entries(raw, "target"):
        missing += [_place("target", w) for w in ("horizon", "indicator", "population", "words") if w not in entry]
    if missing:
        places = ", ".join(dict.fromkeys(missing))
        raise DataError(
            "QB447", place=missing[0], found=f"no {places}",
            expected="; ".join(_place(s, w) for s, w in NEEDED),
            fix=f"add {missing[0].split()[-1]} = … below {missing[0].split()[0]}",
        )  # fmt: skip


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
        head |= {words[w]: _text(_place(section, w), v) for w, v in stated.items()}
    tables: dict[str, list[dict[str, str]]] = {"policies": [head]}
    for section, (table, words) in MANY.items():
        rows = tables.setdefault(table, [])
        for number, entry in enumerate(_entries(raw, section), start=1):
            stated = {**DEFAULTS.get(section, {}), **entry}
            row = {words[w]: _text(_place(section, w), v) for w, v in stated.items()}
            if section != "dose":
                row["policy_id"] = policy_id
            if section == "target":
                row.setdefault("target_id", f"{policy_id}-{number}")
                row.setdefault("unit_code", find_indicator(row["indicator_id"]).indicator.unit)
            rows.append(row)
    return tables


def _check_clusters(workspace: Workspace, rows: Mapping[str, list[dict[str, str]]]) -> dict[str, str]:
    at = workspace.snapshot()
    require_table(workspace, "clusters", at)
    known = workspace.query("SELECT DISTINCT cluster_id, cluster_name FROM clusters ORDER BY cluster_id", snapshot=at)
    names = {str(i): str(n) for i, n in zip(known["cluster_id"], known["cluster_name"], strict=True)}
    named = [r["entity_id"] for r in rows["spells"]] + [r["cluster_id"] for r in rows["instruments"]]
    for cluster in dict.fromkeys(named):
        if cluster not in names:
            by_name = [i for i, n in names.items() if n == cluster]
            shown = [f"{i} {names[i]}" for i in list(names)[:5]]
            raise DataError(
                "QB449",
                cluster=cluster,
                found=repr(cluster),
                expected=" · ".join(shown) + (f" · … ({len(names)})" if len(names) > len(shown) else ""),
                fix=f'cluster = "{by_name[0]}"' if by_name else suggest_names(cluster, names),
            )
    return {c: names[c] for c in dict.fromkeys(named)}


def _policy(raw: Mapping[str, Any]) -> Policy:
    """Build the policy as estimators see it, which checks its spells."""
    head, dates = raw["policy"], raw["dates"]
    if (sure := dates["confidence"]) not in (known := get_args(Confidence)):
        raise misfit("[dates] confidence", repr(sure), " | ".join(known), suggest_names(sure, known))
    spells = []
    for entry in _entries(raw, "spell"):
        start, end = (_quarter(entry.get(w), w) for w in ("start", "end"))
        if start:
            spells.append(Spell(entity=str(entry["cluster"]).strip(), start=start, end=end))
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


def _quarter(value: Any, word: str) -> Any:
    try:
        return None if value in (None, "") else parse_period(str(value), "Q")
    except UsageError as error:
        raise misfit(_place("spell", word), repr(value), "a quarter such as 2022Q3", f'{word} = "2022Q3"') from error


def _typed(table: str, rows: list[dict[str, str]], raw: Mapping[str, Any]) -> pa.Table:
    """Return rows in the types of their contract, or the first thing that is wrong with them."""
    contract = read_contract(table)
    columns = {c: pa.array([r.get(c) or None for r in rows], pa.string()) for c in contract.column_names}
    keys = [tuple(r.get(k) for k in contract.key) for r in rows]
    doubled = next((k for i, k in enumerate(keys) if k in keys[:i]), None)
    if doubled is not None:
        raise misfit(table, " ".join(map(str, doubled)), f"one row for each {', '.join(contract.key)}", "remove one")
    with duckdb.connect(config={"enable_external_access": "false"}) as db:
        db.register("given", pa.table(columns))
        wrong = db.execute(f"SELECT * FROM ({check_rows_sql(contract, 'given')}) WHERE len(reasons) > 0").fetchone()  # noqa: S608
        names = [d[0] for d in db.description or ()]
        if wrong is not None:
            raise _broken(table, dict(zip(names, wrong, strict=True)))
        return db.sql(typed_select_sql(contract, "given")).to_arrow_table()


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
                    return _place(section, word)
    return f"{table}.{column}"
