"""Presets hold the numbers of their sources; a typo, a missing rule or a value that cannot be is told."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

import pytest

from qbase.core import DataError, UsageError
from qbase.release import list_disclosure_presets, read_disclosure_preset
from qbase.release.disclosing.disclosure_presets import parse_disclosure_preset


def raw(name: str) -> dict[str, Any]:
    file = resources.files("qbase.release.disclosing").joinpath("presets", f"{name}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def test_the_numbers_are_those_of_their_sources() -> None:
    cn, opensafely, sacro = (read_disclosure_preset(name) for name in ("cn_default", "opensafely", "sacro"))
    assert (cn.fewest_firms, cn.largest, cn.largest_percent, cn.p_percent) == (3, 1, 75, 10)
    assert (opensafely.fewest_counted, opensafely.round_to) == (8, 5)
    assert (sacro.fewest_firms, sacro.largest, sacro.largest_percent) == (10, 2, 90)
    assert (sacro.p_percent, sacro.fewest_freedom) == (10, 10)
    for name in list_disclosure_presets():
        assert read_disclosure_preset(name).source.zh
        assert read_disclosure_preset(name).edition == f"{name}-1"


def test_an_unknown_preset_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        read_disclosure_preset("cn_defualt")
    assert caught.value.code == "QB753"
    assert "cn_default" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fewest_firm", 3),
        ("fewest_firms", None),
        ("fewest_firms", 1),
        ("fewest_firms", 3.0),
        ("fewest_firms", True),
        ("largest_percent", "75"),
        ("p_percent", 101),
        ("p_percent", float("nan")),
        ("whole_from_firms", "nevr"),
        ("source_en", " "),
        ("id", "other"),
    ],
)
def test_what_a_preset_cannot_hold_is_told(key: str, value: object) -> None:
    given = raw("cn_default")
    assert parse_disclosure_preset(given, name="cn_default") == read_disclosure_preset("cn_default")
    if value is None:
        del given[key]
    else:
        given[key] = value
    with pytest.raises(DataError) as caught:
        parse_disclosure_preset(given, name="cn_default")
    assert caught.value.code == "QB754"
    assert key in caught.value.found
    assert len(str(caught.value).splitlines()) == 4
