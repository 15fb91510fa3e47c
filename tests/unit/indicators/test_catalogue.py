"""The catalogue itself: every sentence of the policy text, every line of the design, every definition complete."""

from __future__ import annotations

import csv
import json
import pathlib
import re

import duckdb
import numpy as np
import pandas as pd
import pytest

from qbase.cli.main import run
from qbase.core.errors import UsageError
from qbase.core.numbers import UNITS
from qbase.indicators import (
    build_panel,
    find_clauses,
    find_indicator,
    list_indicators,
    read_catalogue,
    read_clauses,
    read_rows,
)
from qbase.indicators.catalogue.indicator_rows import COLUMNS, read_sql
from qbase.indicators.catalogue.sql_parts import add_in_order, assemble_sql, fill_begin, read_parts, tables_of
from qbase.indicators.measures import measure_run
from qbase.indicators.measures.measure_run import COMPOSITE, FUNCTIONS, SLOTS
from qbase.lake import Workspace
from qbase.tables import list_contracts, read_contract


@pytest.mark.shared
def test_every_sentence_of_the_policy_text_stands_in_the_clauses(shared_data: pathlib.Path) -> None:
    (file,) = (shared_data.parent / "policy").glob("*.txt")
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    first = next(i for i, line in enumerate(lines) if line.startswith("一、"))
    body = [line for line in lines[first:] if line and not line.startswith("上一篇")]
    headings = [line for line in body if re.match("[一二三四五六]、", line)]
    sentences = [s for line in body if line not in headings for s in re.findall("[^。]+。", line)]
    assert [c.quotation for c in read_clauses().values()] == sentences
    assert list(dict.fromkeys(c.section for c in read_clauses().values())) == headings


@pytest.mark.shared
def test_every_line_of_the_design_is_in_the_catalogue(shared_data: pathlib.Path) -> None:
    with (shared_data.parent / "design" / "indicators.csv").open(encoding="utf-8") as file:
        design = {row["id"]: row for row in csv.DictReader(file)}
    rows = read_rows()
    assert list(rows) == list(design)
    for i, row in design.items():
        assert rows[i].name.zh == row["indicator_zh"]
        assert rows[i].words == row["seed_clause"]
        roles = {find_indicator(m).indicator.role for m in rows[i].measures}
        assert roles == {row["role"].lower()}
        assert (rows[i].outside is not None) == (row["external_reference"] not in {"", "—"}), i


def test_86_lines_of_which_49_outcomes_32_instruments_5_contexts() -> None:
    roles = [find_indicator(row.measures[0]).indicator.role for row in read_rows().values()]
    assert {r: roles.count(r) for r in set(roles)} == {"outcome": 49, "instrument": 32, "context": 5}


def test_every_clause_has_a_line_and_every_line_a_clause() -> None:
    used = {clause for row in read_rows().values() for clause in row.clauses}
    assert set(read_clauses()) - used == set(), "clauses that nothing measures"
    assert used - set(read_clauses()) == set(), "clauses that the text does not have"
    assert all(row.clauses and row.measures for row in read_rows().values())


def test_targets_quote_the_clauses_of_their_line() -> None:
    for row in read_rows().values():
        assert row.target in "".join(read_clauses()[c].quotation for c in row.clauses), row.id
        assert row.target or row.target_value is None, row.id
    numbers = {i: row.target_value for i, row in read_rows().items() if row.target_value is not None}
    assert numbers == {"N3": 100, "N4": 100, "L1": 2, "L7": 100, "L8": 100}, "the text sets no other number"


def test_definitions_are_complete() -> None:
    for i, m in read_catalogue().items():
        indicator = m.indicator
        assert i == m.row or i.startswith(m.row + "."), i
        assert indicator.unit in UNITS, i
        assert re.search("[一-鿿]", indicator.name.zh), i
        assert not re.search("[一-鿿]", indicator.name.en + indicator.formula), i
        assert len(indicator.formula) > 10, i
        assert set(m.entities) <= {"cluster_id", "town_code", "firm_id"}, i
        assert m.entities, i
        assert m.freqs in {("Q", "H", "A"), ("A",)}, i
        assert m.freqs, i
        ways = [bool(m.measure), bool(m.over or (m.sql and not m.function)), bool(m.function), m.missing is not None]
        assert sum(ways) == 1, i
        if m.kind == "rate":
            assert indicator.unit == "pct", i
        if m.function:
            assert m.function in FUNCTIONS, i
        elif m.over:
            assert set(COLUMNS[m.kind]) <= set(m.columns), i
        if m.missing is None:
            assert m.needs, i


def test_every_column_needed_is_one_of_a_contract() -> None:
    for m in read_catalogue().values():
        for need in m.needs:
            table, column = need.split(".")
            assert read_contract(table).column(column).name == column, (m.indicator.id, need)
        if m.text():
            named = {n.split(".")[0] for n in m.needs}
            assert named <= tables_of(m.text()) | {"inspections"}, (m.indicator.id, named - tables_of(m.text()))


def test_measures_of_one_line_differ_and_names_are_unique() -> None:
    names = [m.indicator.name.zh for m in read_catalogue().values()]
    assert len(set(names)) == len(names)
    assert len({m.indicator.name.en for m in read_catalogue().values()}) == len(names)


def test_the_three_pass_rates_are_labelled() -> None:
    zh = {i: find_indicator(i).indicator.name.zh for i in ("D1.batch", "D1.firm", "D1.output", "D1.finding")}
    assert "批次" in zh["D1.batch"]
    assert "企业" in zh["D1.firm"]
    assert "产值加权" in zh["D1.output"]
    assert zh["D1.finding"] == "问题发现率"


def test_the_composite_names_indicators_that_exist() -> None:
    assert all(find_indicator(i).indicator.better == "up" for i in COMPOSITE)
    assert max(len(m.column_names) for m in read_catalogue().values() if m.kind in COLUMNS) <= SLOTS


def test_parts_stand_once_before_their_users() -> None:
    filled = {"firms": "SELECT 1", "links": "SELECT 2", "entity": "f.cluster_id", "more": ""}
    base = fill_begin(read_sql("inspections"), "A").format_map({**filled, "matching": read_sql("matching")})
    sql = assemble_sql("SELECT entity FROM @repeat_failures", entity="town_code", freq="A", base=base)
    names = re.findall(r"^(\w+) AS \(|^WITH (\w+) AS MATERIALIZED \(", sql, flags=re.MULTILINE)
    flat = [a or b for a, b in names]
    assert len(flat) == len(set(flat))
    assert flat.index("part_draws") < flat.index("part_repeat_failures")
    assert flat[0] == "registered"
    assert "coalesce(m.town_code, f.town_code)" in sql
    assert "@" not in sql
    assert "{" not in sql
    assert tables_of("FROM @stock(standards.publish_date)") == {"standards", "clusters"}
    assert tables_of("FROM @samples") == {"inspections", "firms"}


def test_no_part_bears_the_name_of_a_table_and_all_are_used() -> None:
    assert not set(read_parts()) & set(list_contracts())
    text = "\n".join([*read_parts().values(), *(m.text() for m in read_catalogue().values())])
    measures = pathlib.Path(measure_run.__file__).parent
    text += "".join((measures / f"{m}.py").read_text(encoding="utf-8") for m in ("derived_measures", "measure_run"))
    assert not {name for name in read_parts() if not re.search(rf"@{name}\b", text)} - {"cluster_grid"}


@pytest.mark.parametrize(
    ("asked", "first", "number"),
    [("3.near.2", "3.near.2", 1), ("5.2", "5.2.1", 7), ("3", "3.1", 5), ("6", "6.1.1", 15)],
)
def test_a_part_of_the_text_stands_for_its_sentences(asked: str, first: str, number: int) -> None:
    assert find_clauses(asked)[0] == first
    assert len(find_clauses(asked)) == number


def test_a_wrong_clause_ends_in_four_lines() -> None:
    with pytest.raises(UsageError) as caught:
        find_clauses("3.nearr")
    assert caught.value.code == "QB423"
    assert "--clause 3.near" in caught.value.fix


def test_a_line_stands_for_its_measures_when_it_is_no_indicator() -> None:
    with pytest.raises(UsageError) as caught:
        find_indicator("D1")
    assert "D1.batch | D1.firm" in caught.value.fix


def test_an_empty_lake_supports_nothing_and_says_what_to_load(tmp_path: pathlib.Path, capsys) -> None:
    workspace = Workspace.create(tmp_path)
    listed = list_indicators(workspace)
    assert len(listed) == len(read_catalogue())
    assert {a.state for a in listed} == {"needs data"}
    assert {a.measured.indicator.id: a.lacking for a in listed}["N3"] == ("firm_checks", "firms")
    (tmp_path / "reports" / "specs").mkdir(parents=True, exist_ok=True)
    assert run(["indicators", "--home", str(tmp_path), "--clause", "3.near.2", "--json", "--quiet"]) == 0
    document = json.loads(capsys.readouterr().out)
    wanted = {"id", "clause", "name_zh", "name_en", "unit", "role", "status"}
    assert all(wanted <= set(entry) for entry in document["indicators"])
    followed = ["D1c.recheck", "D1c.repeat", "D1c.overdue", "D1c.late"]
    assert [e["id"] for e in document["indicators"]][:5] == [*followed, "N1.penalty"]
    assert all(e["status"].startswith("needs data: ") for e in document["indicators"])
    assert run(["indicators", "--home", str(tmp_path), "--clause", "12"]) == 2
    assert "QB423" in capsys.readouterr().err
    with pytest.raises(Exception, match="QB403"):
        build_panel(workspace, "N3", freq="A")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("sum(a)", "sum(a ORDER BY a)"),
        ("2 * avg(f(a) * (b + 1)) FILTER (c)", "2 * avg(f(a) * (b + 1) ORDER BY f(a) * (b + 1)) FILTER (c)"),
        ("sum(a) / sum(b)", "sum(a ORDER BY a) / sum(b ORDER BY b)"),
        ("count(*), row_sum(a), max(a)", "count(*), row_sum(a), max(a)"),
    ],
)
def test_sums_and_means_take_their_values_in_order(given: str, expected: str) -> None:
    assert add_in_order(given) == expected


def test_a_sum_does_not_depend_on_how_the_rows_lie() -> None:
    amounts = np.random.default_rng(5).lognormal(0, 4, 5000)
    sums = {sql: f"SELECT {sql} AS total FROM t" for sql in ("sum(x)", add_in_order("sum(x)"))}  # noqa: S608
    found: dict[str, set[float]] = {sql: set() for sql in sums}
    with duckdb.connect() as db:
        for seed in range(6):
            db.register("t", pd.DataFrame({"x": np.random.default_rng(seed).permutation(amounts)}))
            for sql, values in found.items():
                values.add(db.sql(sums[sql]).df()["total"].iloc[0])
    plain, ordered = list(found.values())
    assert len(plain) > 1, "the amounts do not show the fault"
    assert len(ordered) == 1


def test_every_sum_of_a_measure_is_in_order() -> None:
    for measured in read_catalogue().values():
        if measured.is_inspected or not measured.text():
            continue
        sql = assemble_sql(measured.text(), entity="cluster_id", freq="A", base="WITH x AS (SELECT 1)")
        assert sql.endswith("ORDER BY ALL"), measured.indicator.id
        assert sql.count(" ORDER BY ") > len(re.findall(r"\b(?:sum|avg)\(", sql)), measured.indicator.id
