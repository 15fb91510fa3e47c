"""Plans carried out keep what they promised: the short version of study_planning.py."""

from __future__ import annotations

import importlib.util
import pathlib
import sys

import numpy as np
import pandas as pd
import pytest

PATH = pathlib.Path(__file__).with_name("study_planning.py")
SPEC = importlib.util.spec_from_file_location("study_planning", PATH)
study = sys.modules.setdefault("study_planning", importlib.util.module_from_spec(SPEC))
SPEC.loader.exec_module(study)

PROVINCES = range(7100, 7104)
ERRORS = 3.0
"""Standard errors of a share by which four provinces may miss a promise."""


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return study.study(PROVINCES)


@pytest.mark.parametrize("what", ["8", "0", "arm"])
def test_what_was_promised_came(rows: pd.DataFrame, what: str) -> None:
    own = rows[rows["what"].str.startswith(what) | rows["what"].str.endswith(f" {what}")]
    promised, realised = own["promised"].mean(), own["realised"].mean()
    allowed = ERRORS * np.sqrt(max(promised * (1 - promised), 0.02) / len(own))
    assert abs(realised - promised) < allowed


def test_promises_of_assurance_are_at_least_what_was_asked(rows: pd.DataFrame) -> None:
    assert (rows.loc[rows["what"].str.startswith("arm"), "promised"] > 0.8 - 3 * np.sqrt(0.16 / study.CHANCES)).all()


def test_an_effect_is_found_more_often_than_none(rows: pd.DataFrame) -> None:
    by_what = rows.groupby("what")[["promised", "realised"]].mean()
    for design in study.DESIGNS:
        assert by_what.loc[f"{design} 8", "promised"] > by_what.loc[f"{design} 0", "promised"] + 0.2
