"""Credit grades: how firms are spread over them and move between them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.stats import wilson_interval
from qbase.trends.watching.credit_grades import GRADES, spread_grades


def make_grades(before: str, after: str, version: str = "2009") -> pd.DataFrame:
    """One letter per firm and year; a dot where the firm was not assessed."""
    rows = [
        (f"F{i}", year, "GB/T 23791", "2009" if year == 2023 else version, grade)
        for year, letters in ((2023, before), (2024, after))
        for i, grade in enumerate(letters)
        if grade != "."
    ]
    return pd.DataFrame(rows, columns=["firm_id", "year", "scheme", "scheme_version", "grade"])


def test_firms_are_followed_from_grade_to_grade() -> None:
    distribution, migration, is_same = spread_grades(make_grades("AABBBCD.", "ABBBAC.D"), 2024, level=0.95)
    assert distribution["n"].tolist() == [2, 3, 1, 1]
    moved = {(r.before, r.after): r.n for r in migration.itertuples() if r.n}
    assert moved == {("A", "A"): 1, ("A", "B"): 1, ("B", "B"): 2, ("B", "A"): 1, ("C", "C"): 1}
    assert (migration.groupby("before")["share_pct"].sum().round(9) == 100).all()
    assert is_same is True


def test_the_intervals_are_goodmans_of_all_grades_at_once() -> None:
    """For each grade Goodman's is Wilson's at a level of 1 − α/4."""
    distribution, _, _ = spread_grades(make_grades("", "A" * 34 + "B" * 43 + "C" * 17), 2024, level=0.95)
    low, high = wilson_interval([34, 43, 17, 0], [94] * 4, level=1 - 0.05 / 4)
    np.testing.assert_allclose(distribution[["ci_low", "ci_high"]], 100 * np.c_[low, high], atol=1e-9)


def test_truth_all_grades_are_covered_at_once() -> None:
    """400 years of 120 firms; 95 % less two Monte-Carlo errors are 92.8 %."""
    shares, rng = np.array([0.34, 0.43, 0.17, 0.06]), np.random.default_rng(9)
    held = 0
    for _ in range(400):
        letters = "".join(rng.choice(list(GRADES), 120, p=shares))
        found, _, _ = spread_grades(make_grades("", letters), 2024, level=0.95)
        held += bool(((found["ci_low"] <= 100 * shares) & (100 * shares <= found["ci_high"])).all())
    assert held / 400 >= 0.928


def test_another_version_is_never_compared_and_an_empty_year_is_empty() -> None:
    _, migration, is_same = spread_grades(make_grades("AB", "BA", version="2023"), 2024, level=0.95)
    assert migration.empty
    assert is_same is False
    distribution, migration, is_same = spread_grades(make_grades("AB", "BA"), 2030, level=0.95)
    assert distribution.empty
    assert migration.empty
    assert is_same is None
