"""The fingerprint covers all of the package's code and the whole template, wherever they lie."""

from __future__ import annotations

import pathlib
import shutil

import pytest

from qbase.core.lazy import PACKAGE
from qbase.reports.running import fingerprint


@pytest.fixture
def copied(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A copy of the package that the fingerprint takes for the installed one."""
    copy = tmp_path / "qbase"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "PACKAGE", copy)
    return copy


def code() -> str:
    return fingerprint.code_hash.__wrapped__()


def template() -> str:
    return fingerprint.template_hash.__wrapped__()


@pytest.mark.parametrize(
    "place",
    [
        "core/values.py",
        "intake/recipes/inspections_items.toml",
        "indicators/statements/inspections.sql",
        "indicators/catalogue/catalogue.toml",
        "tables/declared/firms.toml",
        "stats/rates/wilson.py",
        "effects/extra/twfe.py",
    ],
)
def test_a_change_of_code_changes_the_fingerprint(copied: pathlib.Path, place: str) -> None:
    before, drawn = code(), template()
    (copied / place).write_bytes((copied / place).read_bytes() + b"\n")
    assert code() != before
    assert template() == drawn


def test_every_file_of_the_template_counts(copied: pathlib.Path) -> None:
    files = sorted((copied / "reports" / "rendering" / "template").iterdir())
    assert [path.suffix for path in files].count(".j2") >= 4
    seen = {template()}
    for path in files:
        path.write_bytes(path.read_bytes() + b"\n")
        seen.add(template())
    assert len(seen) == len(files) + 1


def test_the_copy_and_the_package_have_one_fingerprint(copied: pathlib.Path) -> None:
    copy = code(), template()
    fingerprint.PACKAGE = PACKAGE
    assert (code(), template()) == copy
