"""Drawing: repeatable, fair, disjoint, spaced, and with a seed nobody could choose."""

from __future__ import annotations

import datetime
import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

from qbase.core.errors import QbaseError
from qbase.planning import build_commitment, build_seed, draw_firms, new_secret

SECRET = "5d" * 32
PUBLISHED, CLOSED = datetime.date(2025, 11, 3), datetime.date(2025, 12, 1)


def make_list(per_stratum: int = 12) -> pd.DataFrame:
    names = itertools.product(("K001", "K002"), ("A-small", "D-small"), range(per_stratum))
    return pd.DataFrame([{"firm_id": f"F-{e}-{s}-{i}", "entity": e, "stratum": s} for e, s, i in names])


def make_plan(drawn: int = 4) -> pd.DataFrame:
    return pd.DataFrame(
        [{"entity": e, "stratum": s, "drawn": drawn} for e in ("K001", "K002") for s in ("A-small", "D-small")]
    )


def draw(seed: str = SECRET, **changes: object) -> pd.DataFrame:
    return draw_firms(make_list(), make_plan(), seed=seed, year=2026, **changes)


def test_the_same_list_and_seed_give_the_same_firms_in_whatever_order():
    again = draw_firms(make_list().sample(frac=1, random_state=1), make_plan().iloc[::-1], seed=SECRET, year=2026)
    pd.testing.assert_frame_equal(draw(), again)
    assert len(draw()) == 16
    assert (draw().groupby(["entity", "stratum"]).size() == 4).all()


def test_every_firm_has_the_chance_that_is_told():
    seeds, drawn = 400, pd.Series(0, index=make_list(8)["firm_id"])
    for i in range(seeds):
        found = draw_firms(make_list(8), make_plan(2), seed=f"seed {i}", year=2026)
        drawn[found["firm_id"]] += 1
    assert (found["probability"] == 0.25).all()
    assert chisquare(drawn).pvalue > 0.001
    assert drawn.mean() == pytest.approx(seeds / 4)


def test_a_firm_that_joins_or_leaves_changes_one_stratum_only():
    more = pd.concat([make_list(), pd.DataFrame([{"firm_id": "F-new", "entity": "K001", "stratum": "A-small"}])])
    then = draw_firms(more, make_plan(), seed=SECRET, year=2026)
    changed = set(draw()["firm_id"]) ^ set(then["firm_id"])
    assert changed <= set(more.query("entity == 'K001' and stratum == 'A-small'")["firm_id"])
    assert len(changed) <= 2


def test_levels_never_draw_the_same_firm():
    plans = {level: make_plan(3) for level in ("国", "省", "市", "县")}
    found = draw_firms(make_list(), plans, seed=SECRET, year=2026)
    assert not found["firm_id"].duplicated().any()
    assert found["level"].value_counts().to_dict() == dict.fromkeys(plans, 12)
    with pytest.raises(QbaseError, match="QB628"):
        draw_firms(make_list(), {**plans, "镇": make_plan(1)}, seed=SECRET, year=2026)


def test_visits_are_spread_and_six_months_apart():
    plain = draw()
    assert set(plain["quarter"]) == {"2026Q1", "2026Q2", "2026Q3", "2026Q4"}
    visited = pd.DataFrame({"firm_id": plain["firm_id"], "day": "2025-11-20"})
    later = draw(visited=visited)
    assert set(later["firm_id"]) == set(plain["firm_id"]), "a firm seen lately stays in the draw"
    start = pd.PeriodIndex(later["quarter"], freq="Q").start_time
    assert (start >= pd.Timestamp("2025-11-20") + pd.DateOffset(months=6)).all()
    assert draw(visited=visited, spacing_months=0)["quarter"].tolist() == plain["quarter"].tolist()


def test_the_seed_holds_secret_and_list():
    published = build_commitment(SECRET, PUBLISHED)
    seed = build_seed(SECRET, published, make_list(), CLOSED)
    assert seed == build_seed(SECRET, published, make_list().sample(frac=1, random_state=2), CLOSED)
    assert seed != build_seed(SECRET, published, make_list().iloc[1:], CLOSED)
    assert SECRET not in published.digest
    assert len({new_secret() for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: build_commitment("1234", PUBLISHED), "QB625"),
        (lambda: build_seed("ab" * 32, build_commitment(SECRET, PUBLISHED), make_list(), CLOSED), "QB626"),
        (lambda: build_seed(SECRET, build_commitment(SECRET, CLOSED), make_list(), CLOSED), "QB626"),
        (lambda: draw(spacing_months=13), "QB627"),
        (lambda: draw_firms(make_list().drop(columns="stratum"), make_plan(), seed=SECRET, year=2026), "QB627"),
        (lambda: draw_firms(pd.concat([make_list()] * 2), make_plan(), seed=SECRET, year=2026), "QB627"),
        (lambda: draw_firms(make_list(), make_plan(13), seed=SECRET, year=2026), "QB628"),
        (lambda: draw_firms(make_list(), make_plan().assign(stratum="X"), seed=SECRET, year=2026), "QB628"),
    ],
)
def test_refusals_are_four_lines(call, code):
    with pytest.raises(QbaseError) as caught:
        call()
    assert caught.value.code == code
    assert len(str(caught.value).splitlines()) == 4


def test_numbers_are_even():
    numbers = draw_firms(make_list(200), make_plan(200), seed=SECRET, year=2026)["number"]
    assert np.histogram(numbers, bins=8, range=(0, 1))[0].min() > 60
