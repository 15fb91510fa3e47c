"""What is put into a notebook is exactly what was checked: any JSON value, never code."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbase.core.errors import UsageError
from qbase.reports.asking.letter_parameters import Base, Many, Parameter
from qbase.reports.asking.run_arguments import check_params, read_words
from qbase.reports.executing.papermill_engine import check_injection

HOSTILE = (
    "", "'", '"', "\\", "\\\\'", "'''", '"""', "\n", "\r", "\x00", "\x85", "\u2028", "{0}", "%s", "中文", "😀", "#",
    "__import__('os')", "${HOME}", "'+open('x','w').write('')+'", '"; import os #', "\\N{BULLET}", "\\u0041",
)  # fmt: skip
TEXTS = st.text() | st.sampled_from(HOSTILE)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
LEAVES: dict[str, st.SearchStrategy[Any]] = {"str": TEXTS, "int": NUMBERS, "float": FLOATS, "bool": st.booleans()}


@st.composite
def cases(draw: st.DrawFn) -> tuple[Parameter, Any]:
    base: Base = draw(st.sampled_from(sorted(LEAVES)))  # type: ignore[assignment]
    many: Many = draw(st.sampled_from(["", "list", "dict"]))  # type: ignore[assignment]
    leaf = LEAVES[base]
    whole = {"": leaf, "list": st.lists(leaf, max_size=4), "dict": st.dictionaries(TEXTS, leaf, max_size=4)}[many]
    optional = draw(st.booleans())
    value = draw(whole | st.none()) if optional else draw(whole)
    return Parameter(name="value", base=base, many=many, optional=optional), value


@settings(deadline=None, max_examples=300)
@given(cases())
def test_the_injected_cell_assigns_exactly_the_checked_value(case: tuple[Parameter, Any]) -> None:
    from papermill.translators import PythonTranslator

    parameter, value = case
    checked = check_params([parameter], {"value": value}, report_id="r")
    check_injection(checked)
    scope: dict[str, Any] = {"__builtins__": {}}
    exec(PythonTranslator.codify(checked), scope)  # noqa: S102
    assert repr(scope["value"]) == repr(checked["value"])
    assert json.loads(json.dumps(checked["value"])) == value


@settings(deadline=None, max_examples=200)
@given(
    st.one_of(
        st.binary(),
        st.tuples(TEXTS),
        st.dates(),
        st.decimals(),
        st.sets(TEXTS, min_size=1),
        st.complex_numbers(),
        st.sampled_from([math.nan, math.inf, -math.inf, object(), print, {0: "a"}, {None: "a"}, ("x",), "\udc80"]),
    ),
    st.sampled_from(["str", "int", "float", "bool"]),
    st.sampled_from(["", "list", "dict"]),
)
def test_what_json_cannot_hold_is_refused(value: Any, base: Base, many: Many) -> None:
    parameter = Parameter(name="value", base=base, many=many, optional=True)
    for given_value in (value, [value], {"a": value}):
        with pytest.raises(UsageError) as caught:
            check_params([parameter], {"value": given_value}, report_id="r")
        assert caught.value.code == "QB807"


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_from_the_command_line_stays_text(text: str) -> None:
    assert read_words([Parameter(name="v", base="str")], [f"v={text}"], report_id="r") == {"v": text}


@settings(deadline=None, max_examples=300)
@given(cases())
def test_the_json_form_reads_back(case: tuple[Parameter, Any]) -> None:
    parameter, value = case
    if value is None or (parameter.base == "str" and not parameter.many):
        return
    word = json.dumps(value, ensure_ascii=False)
    assert read_words([parameter], [f"value={word}"], report_id="r") == {"value": value}


@pytest.mark.parametrize(
    "params",
    [
        {"value": ("'+open('x','w').write('')+'",)},
        {"x=print(1);y": 1},
        {"value": {1: 2}},
        {"value\nprint(1)": 1},
        {"value": math.nan},
    ],
)
def test_a_cell_that_would_do_anything_else_is_never_run(params: dict[str, Any]) -> None:
    with pytest.raises((ValueError, SyntaxError)):
        check_injection(params)
