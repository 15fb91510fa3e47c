"""The parameters cell: parsed by ast, every declaration form, every refusal."""

from __future__ import annotations

import json
import pathlib

import pytest

from qbase.core.errors import UsageError
from qbase.reports.asking.given_check import check_given
from qbase.reports.asking.letter_parameters import Parameter, parse_cells, parse_source, read_parameters
from qbase.reports.asking.run_arguments import check_params, example, read_words

SOURCE = """from typing import Literal
year: int = 2024  # 报告年份 | Report year | 2016..2025
code: str = "007"  # 代码 | Code
start: str = "2022Q1"  # 起点 | Start | 2019Q2..2024Q3
level: float = 0.95  # 水平 | Level | 0.5..0.999
names: list[str] = ["a"]  # 名称 | Names
steps: list[int] = [-1, 2]  # 步 | Steps | -9..9
goals: dict[str, float] = {"2025": 95.5}  # 目标 | Goals
kind: Literal["a", "b"] = "a"  # 种类 | Kind
note: str | None = None  # 备注 | Note
is_draft: bool = False  # 草稿 | Draft
must: int = ...  # 必填 | Required | 1..
side: str = "left"  # 边 | Side | left, right
"""


@pytest.fixture(scope="module")
def declared() -> tuple[Parameter, ...]:
    return parse_source(SOURCE, shown="n.ipynb")


def refusal(source: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse_source(source, shown="n.ipynb")
    return caught.value


def notebook(*cells: tuple[str, list[str]]) -> dict[str, object]:
    made = [
        {"cell_type": "code", "metadata": {"tags": tags}, "source": source.splitlines(keepends=True)}
        for source, tags in cells
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}


def test_every_form_is_read(declared: tuple[Parameter, ...]) -> None:
    by_name = {p.name: p for p in declared}
    assert list(by_name) == [
        "year", "code", "start", "level", "names", "steps", "goals", "kind", "note", "is_draft", "must", "side",
    ]  # fmt: skip
    assert by_name["year"].describe() == "year: int, 2016–2025"
    assert by_name["year"].help.zh == "报告年份"
    assert by_name["year"].help.en == "Report year"
    assert by_name["names"].type == "list[str]"
    assert by_name["goals"].type == "dict[str, float]"
    assert by_name["goals"].default == {"2025": 95.5}
    assert by_name["note"].type == "str | None"
    assert by_name["kind"].choices == ("a", "b")
    assert by_name["side"].choices == ("left", "right")
    assert by_name["must"].required
    assert by_name["must"].allowed == "≥ 1"
    assert not by_name["note"].required


def test_schema_is_json(declared: tuple[Parameter, ...]) -> None:
    schema = {p.name: json.loads(json.dumps(p.schema())) for p in declared}
    assert schema["year"] == {"type": "integer", "minimum": 2016, "maximum": 2025, "default": 2024}
    assert schema["kind"]["enum"] == ["a", "b"]
    assert "default" not in schema["must"]
    assert schema["note"] == {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}


@pytest.mark.parametrize(
    "source",
    [
        "year = 2024",
        "year: int",
        "year: int = 2020 + 4",
        "year: int = open('x')",
        "year: date = 1",
        "year: tuple[int] = (1,)",
        "x.y: int = 1",
        "import os",
        "print(1)",
        "year: int = 2024\nyear: int = 2025",
        "year: int = 'a'",
        "year: int = 2030  # 年 | Year | 2016..2025",
        "level: float = 1e400",
        "year: int = 2024  # 年 | Year | a..b",
        "is_x: bool = True  # 是 | Is | 0..1",
        "year: int = (",
    ],
)
def test_what_is_no_declaration_is_refused(source: str) -> None:
    error = refusal(source)
    assert error.code == "QB808"
    assert error.exit_code == 2


def test_nothing_is_executed(tmp_path: pathlib.Path) -> None:
    mark = tmp_path / "ran"
    refusal(f"year: int = open({str(mark)!r}, 'w').write('x')")
    refusal(f"year: (open({str(mark)!r}, 'w') and int) = 1")
    assert not mark.exists()


@pytest.mark.parametrize("tagged", [0, 2])
def test_exactly_one_cell_is_tagged(tagged: int) -> None:
    cells = [("x: int = 1", ["parameters"] if i < tagged else []) for i in range(3)]
    with pytest.raises(UsageError) as caught:
        parse_cells(notebook(*cells)["cells"], shown="n.ipynb")  # type: ignore[arg-type]
    assert caught.value.code == "QB808"
    assert f"{tagged} cells tagged" in caught.value.found


@pytest.mark.parametrize("text", ["", "{", "[]", '{"nbformat": 3, "cells": []}', '{"nbformat": 4, "cells": [1]}'])
def test_an_unreadable_notebook_is_refused(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "n.ipynb"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_parameters(path)
    assert caught.value.code == "QB809"


def test_a_missing_notebook_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_parameters(tmp_path / "n.ipynb", shown="notebooks/n.ipynb")
    assert caught.value.code == "QB809"
    assert str(tmp_path) not in str(caught.value)


def test_a_misspelt_name_gives_exactly_these_four_lines() -> None:
    parameters = parse_source("year: int = 2024  # 年 | Year | 2016..2025", shown="n.ipynb")
    with pytest.raises(UsageError) as caught:
        read_words(parameters, ["yeer=2023"], report_id="trends")
    assert caught.value.render("en").split("\n") == [
        'error[QB803] report "trends" has no parameter "yeer"',
        "  found     -p yeer=2023",
        "  expected  year: int, 2016–2025",
        "  to fix    qbase run trends -p year=2023        (all parameters: qbase inspect trends)",
    ]
    with pytest.raises(UsageError) as typed:
        check_params(parameters, {"yeer": 2023}, report_id="trends")
    assert typed.value.render("en") == caught.value.render("en")


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("code=007", "007"),
        ("code=no", "no"),
        ("code=", ""),
        ("code=a=b", "a=b"),
        ("code=12:30:00", "12:30:00"),
        ("year=2023", 2023),
        ("level=.9", 0.9),
        ("level=9.5e-1", 0.95),
        ("names=a,b", ["a", "b"]),
        ('names=["a,b"]', ["a,b"]),
        ("names=", []),
        ("steps=-3,4", [-3, 4]),
        ("goals=2025:96,2026:97.5", {"2025": 96.0, "2026": 97.5}),
        ('goals={"2025": 96}', {"2025": 96}),
        ("note=", None),
        ("note=none", "none"),
        ("is_draft=true", True),
    ],
)
def test_words_are_read_by_the_declared_type_alone(declared: tuple[Parameter, ...], word: str, value: object) -> None:
    read = read_words(declared, [word], report_id="trends")
    assert read == {word.partition("=")[0]: value}
    assert [type(v) for v in read.values()] == [type(value)]


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("year=1_000", "QB805"),
        ("year=2.0", "QB805"),
        ("year=1e3", "QB805"),
        ("year=２０２３", "QB805"),
        ("year=", "QB805"),
        ("level=nan", "QB805"),
        ("level=inf", "QB805"),
        ("is_draft=True", "QB805"),
        ("is_draft=yes", "QB805"),
        ("steps=1,,2", "QB805"),
        ("steps=[1", "QB805"),
        ("goals=2025", "QB805"),
        ("year", "QB823"),
        ("zzz=1", "QB803"),
    ],
)
def test_words_that_do_not_fit_are_refused(declared: tuple[Parameter, ...], word: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_words(declared, [word], report_id="trends")
    assert caught.value.code == code
    assert caught.value.exit_code == 2


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("year", 2026, "QB806"),
        ("year", "2024", "QB805"),
        ("year", True, "QB805"),
        ("year", 2024.0, "QB805"),
        ("year", None, "QB805"),
        ("year", 2**63, "QB807"),
        ("level", float("nan"), "QB807"),
        ("level", float("inf"), "QB807"),
        ("level", 1, "QB806"),
        ("start", "2019Q1", "QB806"),
        ("start", "2020", "QB806"),
        ("kind", "c", "QB806"),
        ("code", "\ud800", "QB807"),
        ("code", b"x", "QB807"),
        ("code", Text("x"), "QB807"),
        ("code", ("x",), "QB807"),
        ("names", ("a",), "QB807"),
        ("names", "a", "QB805"),
        ("names", [1], "QB805"),
        ("steps", [10], "QB806"),
        ("goals", {1: 2.0}, "QB807"),
        ("goals", {"a": "b"}, "QB805"),
        ("goals", {"a": None}, "QB805"),
        ("is_draft", 1, "QB805"),
    ],
)
def test_typed_values_are_never_coerced(declared: tuple[Parameter, ...], name: str, value: object, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_params(declared, {"must": 1, name: value}, report_id="trends")
    assert caught.value.code == code
    assert caught.value.expected.startswith(f"{name}: ")


def test_defaults_are_filled_in_and_a_required_one_is_missed(declared: tuple[Parameter, ...]) -> None:
    values = check_params(declared, {"must": 3, "goals": {"2030": 99}}, report_id="trends")
    assert values["year"] == 2024
    assert values["goals"] == {"2030": 99.0}
    assert type(values["goals"]["2030"]) is float
    with pytest.raises(UsageError) as caught:
        check_params(declared, {}, report_id="trends")
    assert caught.value.code == "QB804"
    assert caught.value.fix == "qbase run trends -p must=1"


def test_the_example_can_be_typed_back(declared: tuple[Parameter, ...]) -> None:
    for parameter in declared:
        word = f"{parameter.name}={example(parameter).strip(chr(39))}"
        given = read_words(declared, [word], report_id="trends")
        check_params(declared, {"must": 1} | given, report_id="trends")


OUTSIDE = {"10_quarterly_brief", "20_quality_trends", "60_county_analysis"}
"""Letters with a page for outside: all they show there is computed from the counts a pattern leaves."""


@pytest.mark.parametrize("profile", ["external", "statutory_public"])
def test_letters_without_a_page_for_outside_say_so_before_anything_runs(
    project_root: pathlib.Path, profile: str
) -> None:
    offered = set()
    for path in sorted((project_root / "notebooks").glob("[1-9]*.ipynb")):
        asked = {p.name: p for p in read_parameters(path)}
        if profile in asked["profile"].choices:
            offered.add(path.stem)
            continue
        with pytest.raises(UsageError, match="QB913") as refused:
            check_params(tuple(asked.values()), {"profile": profile}, report_id="any")
        told = str(refused.value)
        assert asked["profile"].help.en in told
        assert f"qbase run trends -p profile={profile}" in told
        with pytest.raises(UsageError, match="QB913"):
            check_given({"In": [_cell(path)], **{n: p.default for n, p in asked.items()}, "profile": profile})
    assert offered == OUTSIDE


def _cell(path: pathlib.Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "".join(next(c["source"] for c in cells if "parameters" in c["metadata"].get("tags", [])))
