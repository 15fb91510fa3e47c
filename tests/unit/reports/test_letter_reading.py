"""A parameter bound again or never read is found by reading the code, whatever the way."""

from __future__ import annotations

import json
import pathlib
import shlex
from typing import Any

import pytest

from qbase.core.errors import UsageError
from qbase.lake import Workspace, list_runs
from qbase.reports import run_report
from qbase.reports.asking.letter_parameters import Parameter, parse_cells, parse_source
from qbase.reports.asking.letter_reading import check_letter
from qbase.reports.asking.run_arguments import check_params, example, read_words

PARAMETERS = "level: float = 0.95  # 水平 | Level\ntimes: list[int] = [1]  # 期 | Times"


def code(source: str, *tags: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source, "outputs": []}


def check(*sources: str, before: str = "") -> None:
    cells = [code(before), code(PARAMETERS, "parameters"), *map(code, sources)]
    check_letter(cells, parse_cells(cells, shown="n.ipynb"), shown="n.ipynb")


@pytest.mark.parametrize(
    "source",
    [
        "level = 0.5", "level += 1", "if times:\n    level = 1", "print(level := 3)", "[level := x for x in times]",
        "for level in times: pass", "del level", "import math as level", "import level.inner", "from math import level",
        "one, (two, *level) = 1, (2, 3)", "with open() as level: pass", "try: pass\nexcept OSError as level: pass",
        "match times:\n    case [level]: pass", "def level(): pass", "class level: pass", "level: float = 0.5",
        "def change():\n    global level\n    level = 1", "globals()['level'] = 1", "globals().update(level=1)",
        "globals().update({'level': 1})", "del globals()['level']", "exec('level = 1')", "%time level = 1",
        "%%time\nlevel = 1", "%%capture level\nprint(1)", "!ls\nlevel = 0.5", "get_ipython().user_ns['level'] = 1",
        "level = await wait()",
    ],
)  # fmt: skip
def test_a_parameter_that_is_bound_again_is_refused(source: str) -> None:
    with pytest.raises(UsageError) as caught:
        check("level, times", source)
    assert caught.value.code == "QB827"
    assert caught.value.found.startswith("cell 4: ")
    assert "level" in caught.value.fix


@pytest.mark.parametrize("source", ["times.append(2)", "times[0] = 2", "del times[0]", "times += [2]", "times.sort()"])
def test_a_list_that_is_changed_where_it_stands_is_refused(source: str) -> None:
    with pytest.raises(UsageError) as caught:
        check("level, times", source)
    assert (caught.value.code, caught.value.found) == ("QB827", f"cell 4: {source}")


@pytest.mark.parametrize(
    "source",
    [
        "def f(level): return level", "lambda level: level", "[level for level in times]", "f(level=1)", "level: float",
        "def f():\n    level = 1\n    return level", "class A:\n    level = 1", "rate.level = 1", "'level = 1'",
        "def f(times):\n    times[0] = 1", "%%html\nlevel = 1", "# level = 1", "def f(:", "",
    ],
)  # fmt: skip
def test_what_binds_another_name_is_no_matter(source: str) -> None:
    check("level, times", source, before="level = 0.1")


@pytest.mark.parametrize(
    "source",
    ["f(level)", "def f(): return level", "f'{level}'", "f(x=level)", "%timeit -n 3 f(level)", "!echo {level}",
     "[x for x in range(level)]", "await f(level)", "(lambda: level)()", "level?"],
)  # fmt: skip
def test_what_reads_a_parameter_counts(source: str) -> None:
    check("times", source)


@pytest.mark.parametrize("source", ["f(level=1)", "def f(level): return level", "'level'", "# level", "rate.level"])
def test_a_parameter_that_no_cell_reads_is_refused(source: str) -> None:
    with pytest.raises(UsageError) as caught:
        check("times", source, before="level")
    assert (caught.value.code, caught.value.found) == ("QB828", "no cell reads level")


@pytest.mark.parametrize("source", ["f(globals())", "eval('lev' + 'el')", "from helper import *", "%run more.py"])
def test_what_may_read_any_name_is_given_the_benefit(source: str) -> None:
    check("times", source)


def test_a_left_over_line_is_refused_before_anything_starts(tmp_path: pathlib.Path) -> None:
    home = Workspace.create(tmp_path / "home")
    cells = [code('subject: str = "K001"  # 对象 | Subject', "parameters"), code('subject = "K001"'), code("subject")]
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (home.notebooks / "left.ipynb").write_text(json.dumps(document), encoding="utf-8")
    spec = 'notebook = "notebooks/left.ipynb"\ntitle_zh = "题"\ntitle_en = "T"\n'
    (home.specs / "left.toml").write_text(spec, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        run_report(home, "left", {"subject": "K003"})
    assert (caught.value.code, caught.value.found) == ("QB827", 'cell 2: subject = "K001"')
    assert list_runs(home) == []
    assert not list(home.runs.iterdir())


def refused(parameters: tuple[Parameter, ...], *words: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        check_params(parameters, read_words(parameters, words, report_id="r"), report_id="r")
    return caught.value


def test_a_parameter_given_twice_is_refused_with_a_line_that_works() -> None:
    parameters = parse_source(PARAMETERS, shown="n.ipynb")
    for twice in (("level=0.5", "times=1", "level=0.9"), ("level=0.9", "times=1", "level=0.9")):
        error = refused(parameters, *twice)
        assert (error.code, error.fix) == ("QB829", "qbase run r -p level=0.9 -p times=1")
    assert refused(parameters, "times=1", "times=2").expected == "one -p times=a,b"


def test_a_key_that_stands_twice_in_a_map_is_refused() -> None:
    parameters = parse_source("goals: dict[str, float] = {}  # 目标 | Goals", shown="n.ipynb")
    for word in ("goals=a:1,a:2", 'goals={"a": 1, "a": 2}'):
        assert refused(parameters, word).code == "QB805"


@pytest.mark.parametrize(
    "line",
    ["goals: dict[str, float] = ...", "goals: dict[str, int] | None = None", "times: list[int] = ...",
     "names: list[str] | None = None", "name: str = \"it's [odd]\"", "share: float = ...  # 率 | Share | ..-1.5"],
)  # fmt: skip
def test_the_value_an_error_advises_is_taken(line: str) -> None:
    parameters = parse_source(line, shown="n.ipynb")
    (word,) = shlex.split(f"{parameters[0].name}={example(parameters[0])}")
    check_params(parameters, read_words(parameters, [word], report_id="r"), report_id="r")


def test_the_line_an_error_advises_holds_all_that_is_needed() -> None:
    source = "code: str = ...  # 号 | Code\nyear: int = ...  # 年 | Year | 2016..\nkind: str = 'a'  # 类 | Kind | a, b"
    parameters = parse_source(source, shown="n.ipynb")
    assert refused(parameters).fix == "qbase run r -p code=… -p year=2016"
    assert refused(parameters, "year=2020", "kind=b").fix == "qbase run r -p year=2020 -p kind=b -p code=…"
    assert refused(parameters, "code=K", "year=1999").fix == "qbase run r -p code=K -p year=2016"
