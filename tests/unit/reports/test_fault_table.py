"""The table of injected faults: every fault of the design has its row, and every test it names is there."""

from __future__ import annotations

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]
FAULTS = 36


def test_every_fault_has_a_row_that_names_a_test() -> None:
    rows: dict[int, str] = {}
    for line in (ROOT / "docs" / "studies" / "faults.md").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\| F(\d+) ", line):
            rows[int(found[1])] = line
    assert sorted(rows) == list(range(1, FAULTS + 1))
    there = {path.name for path in (ROOT / "tests").rglob("*.py")}
    for number, line in rows.items():
        named = set(re.findall(r"`((?:test|study)_\w+\.py)`", line))
        assert named, f"F{number} names no test"
        assert named <= there, f"F{number} names a test that is not there"
