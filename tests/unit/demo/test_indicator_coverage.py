"""At least 70 of the 86 indicators can be computed from the tables; the rest say why not."""

import tomllib
from importlib import resources

from qbase.demo import build_province
from qbase.tables import read_contract

LEAST = 70


def coverage() -> dict[str, str]:
    text = resources.files("qbase.demo").joinpath("coverage.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["indicators"]


def test_all_86_indicators_are_named_and_enough_are_computable():
    lines = coverage()
    assert len(lines) == 86
    missing = {k: v for k, v in lines.items() if v.startswith("missing:")}
    assert len(lines) - len(missing) >= LEAST
    assert all(len(why.removeprefix("missing:").strip()) > 20 for why in missing.values())


def test_every_column_named_exists_and_is_filled():
    tables = build_province("small", seed=7).tables
    for indicator, line in coverage().items():
        if line.startswith("missing:"):
            continue
        for reference in line.split(", "):
            table, column = reference.split(".")
            assert read_contract(table).column(column).name == column, (indicator, reference)
            values = tables[table][column]
            assert ((values != "") & values.notna()).any(), (indicator, reference)
