"""Parts of the difference between two populations sum to it exactly, and each moves with what it names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qbase.core.errors import DataError
from qbase.effects.fitting.population_change import COLUMNS, decompose_populations

PARTS = ["within", "reallocation", "entry", "exit"]
EXACT = 1e-12


def firms(seed: int, n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    before, after = rng.random(n) < 0.8, rng.random(n) < 0.7
    before[0] = after[0] = True
    rate = [np.where(here | (rng.random(n) < 0.4), rng.uniform(0.6, 1, n), np.nan) for here in (before, after)]
    rate[0] = np.where(before, rate[0], np.nan)
    weight = [np.where(np.isfinite(r), rng.uniform(0.5, 9, n), 0) for r in rate]
    return pd.DataFrame(dict(zip(COLUMNS, [before, after, *rate, *weight], strict=True)))


def values(frame: pd.DataFrame) -> dict[str, float]:
    return decompose_populations(frame).set_index("part")["value"].to_dict()


@pytest.mark.parametrize("seed", range(20))
def test_parts_sum_to_the_difference(seed: int) -> None:
    found = values(firms(seed))
    assert sum(found[part] for part in PARTS) == pytest.approx(found["difference"], abs=EXACT)
    assert found["all_firms"] - found["followed"] == pytest.approx(found["difference"], abs=EXACT)


def test_totals_are_weighted_means_of_their_populations() -> None:
    frame = firms(3)
    found = values(frame)
    now, then = frame[frame["is_here_after"]], frame[frame["is_here_before"]]
    rates = (
        np.average(now["rate_after"], weights=now["weight_after"]),
        np.average(then["rate_before"], weights=then["weight_before"]),
    )
    assert found["all_firms"] == pytest.approx(rates[0] - rates[1], abs=EXACT)
    seen = then[then["rate_after"].notna()]
    own = np.average(seen["rate_after"] - seen["rate_before"], weights=seen["weight_before"])
    assert found["followed"] == pytest.approx(own, abs=EXACT)


def test_firms_that_stay_with_their_weights_leave_no_difference() -> None:
    frame = firms(5)
    frame = frame[frame["is_here_before"] & frame["is_here_after"]].assign(
        weight_after=lambda f: 3 * f["weight_before"]
    )
    found = values(frame)
    assert [found[part] for part in PARTS] == pytest.approx([0, 0, 0, 0], abs=EXACT)
    assert found["all_firms"] == pytest.approx(found["followed"], abs=EXACT)


def test_each_part_follows_what_it_names() -> None:
    base = pd.DataFrame(
        {
            "is_here_before": [True, True, True, False],
            "is_here_after": [True, True, False, True],
            "rate_before": [0.9, 0.8, 0.5, np.nan],
            "rate_after": [0.9, 0.8, 0.5, 0.85],
            "weight_before": [1.0, 1, 1, 0],
            "weight_after": [1.0, 1, 1, 1],
        }
    )
    still = values(base)
    assert still["followed"] == 0
    assert still["exit"] == pytest.approx((0.85 - 0.5) / 3)
    assert still["entry"] == pytest.approx(0)
    better = values(base.assign(rate_after=[0.9, 0.8, 0.8, 0.85]))
    assert better["within"] == pytest.approx(-0.1)
    shifted = values(base.assign(weight_after=[3.0, 1, 1, 2]))
    assert shifted["reallocation"] == pytest.approx(0.025)
    newcomer = values(base.assign(rate_after=[0.9, 0.8, 0.5, 0.97]))
    assert newcomer["entry"] == pytest.approx(0.04)


def test_who_is_seen_no_more_only_leaves() -> None:
    frame = firms(1)
    gone = frame["is_here_before"] & ~frame["is_here_after"]
    lost = frame.assign(rate_after=frame["rate_after"].where(~gone))
    table = decompose_populations(lost).set_index("part")
    assert table.loc["followed", "n_firms"] == (frame["is_here_before"] & frame["is_here_after"]).sum()
    assert table.loc["within", "value"] == pytest.approx(0, abs=EXACT)
    assert table.loc["exit", "value"] == values(frame)["exit"]


def test_faults_are_told() -> None:
    frame = firms(2)
    for bad in (
        frame.drop(columns="weight_after"),
        frame.assign(rate_before=np.nan),
        frame.assign(weight_after=0.0),
        frame.assign(is_here_after=~frame["is_here_before"], rate_after=0.9, weight_after=1.0),
    ):
        with pytest.raises(DataError, match="QB546"):
            decompose_populations(bad)
