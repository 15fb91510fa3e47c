"""Intervals under departures from parallel trends: against solvers, closed cases, and simulated truth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize
from scipy.special import ndtr
from scipy.stats import norm

from qbase.core.errors import DataError, QbaseError, UsageError
from qbase.effects import breakdown_value, relative_magnitude_bounds, roth_power, smoothness_bounds
from qbase.effects.sensitivity.conditional_test import FIRST_STAGE, Vertices, accepts, find_vertices, steps_before
from qbase.effects.sensitivity.event_path import EventPath, read_event_path, rebase_to_last
from qbase.effects.sensitivity.smoothness import estimate_frontier, smooth_interval

Z = norm.ppf(0.975)
SOLVER = 2e-6
"""What SLSQP leaves on half lengths of about 1."""


def drawn_path(seed: int, n_pre: int, n_post: int) -> EventPath:
    rng = np.random.default_rng(seed)
    size = n_pre + n_post
    mixing = rng.normal(size=(size, size + 2)) / np.sqrt(size + 2)
    weights = rng.normal(size=n_post)
    return read_event_path(rng.normal(size=size), mixing @ mixing.T + 0.1, n_pre=n_pre, weights=weights)


def arguments(path: EventPath) -> dict:
    return {"beta": path.beta, "vcov": path.vcov, "n_pre": path.n_pre, "weights": path.weights}


# The conditional test against the linear programme it stands for.


class Programme:
    """All moments of one worst step written out, and every vertex of the dual found by trying supports."""

    def __init__(self, path: EventPath, step: np.ndarray, limit: float) -> None:
        t, p = path.n_post, path.n_pre
        rises = np.hstack([np.zeros((t, p)), np.diff(np.vstack([np.zeros(t), np.eye(t)]), axis=0)])
        self.moments = np.vstack([rises - limit * step, -rises - limit * step])
        basis = np.linalg.svd(path.weights[None, :])[2]  # the first row is l up to scale, the others are the nuisance
        back = np.linalg.inv(np.vstack([path.weights, basis[1:]]))
        self.effect = self.moments[:, p:] @ back[:, 0]
        self.nuisance = self.moments[:, p:] @ back[:, 1:]
        self.errors = np.sqrt(np.diag(self.moments @ path.vcov @ self.moments.T))
        self.path = path

    def y(self, theta: float) -> np.ndarray:
        return self.moments @ self.path.beta - self.effect * theta

    def statistic(self, theta: float) -> float:
        """The smallest x for which some nuisance keeps every moment below x standard errors."""
        k = self.nuisance.shape[1]
        found = linprog(
            np.r_[1.0, np.zeros(k)],
            A_ub=np.column_stack([-self.errors, -self.nuisance]),
            b_ub=-self.y(theta),
            bounds=[(None, None)] * (k + 1),
            method="highs",
        )
        assert found.status == 0
        return float(found.fun)

    def vertices(self) -> np.ndarray:
        rows = np.vstack([self.nuisance.T, self.errors])
        found = []
        for support in itertools.combinations(range(rows.shape[1]), rows.shape[0]):
            part = rows[:, support]
            if abs(np.linalg.det(part)) < 1e-12:
                continue
            gamma = np.linalg.solve(part, np.r_[np.zeros(len(rows) - 1), 1.0])
            if (gamma >= -1e-12).all():
                full = np.zeros(rows.shape[1])
                full[list(support)] = gamma.clip(0)
                if not any(np.allclose(full, other) for other in found):
                    found.append(full)
        return np.array(found)

    def keeps(self, theta: float, gammas: np.ndarray, critical: float, alpha: float) -> bool:
        """The hybrid test of one θ, vertex by vertex, as the paper writes it."""
        spread = self.moments @ self.path.vcov @ self.moments.T
        values = gammas @ self.y(theta)
        best = int(np.argmax(values))
        if values[best] > critical:
            return False
        variance = gammas[best] @ spread @ gammas[best]
        slope = gammas @ spread @ gammas[best] / variance
        rest, gap = values - slope * values[best], 1 - slope
        low = max((r / g for r, g in zip(rest, gap, strict=True) if g > 1e-9), default=-np.inf)
        high = min((r / g for r, g in zip(rest, gap, strict=True) if g < -1e-9), default=np.inf)
        high, error = min(high, critical), np.sqrt(variance)
        size = (alpha - FIRST_STAGE * alpha) / (1 - FIRST_STAGE * alpha)
        inside = norm.cdf(high / error) - norm.cdf(low / error)
        quantile = error * norm.ppf(norm.cdf(low / error) + (1 - size) * inside)
        return bool(values[best] <= max(0.0, quantile))


def cases() -> list[tuple[EventPath, np.ndarray, float, Vertices]]:
    found = []
    for seed, (n_pre, n_post) in enumerate([(1, 1), (2, 2), (3, 3), (2, 4), (4, 3)]):
        path = drawn_path(seed, n_pre, n_post)
        for row, sign, limit in zip(steps_before(path), itertools.cycle((1, -1)), (0.4, 1.0, 2.5, 1.5), strict=False):
            step = sign * row
            found.append((path, step, limit, find_vertices(path, step, limit=limit, alpha=0.05)))
    return found


def test_four_vertices_give_the_value_of_the_linear_programme():
    tried = 0
    for path, step, limit, vertices in cases():
        programme = Programme(path, step, limit)
        for theta in (-4.0, -1.0, 0.0, 0.7, 3.0):
            distance = path.row @ path.beta - theta
            ours = (vertices.rows @ [distance, step @ path.beta]).max()
            assert ours == pytest.approx(programme.statistic(theta), rel=1e-7, abs=1e-7)
            tried += 1
    assert tried >= 50


def test_the_hybrid_test_decides_as_with_every_vertex_written_out():
    thetas = np.linspace(-9, 9, 73)
    verdicts = []
    for path, step, limit, vertices in cases():
        programme = Programme(path, step, limit)
        gammas = programme.vertices()
        ours = accepts(vertices, path.row @ path.beta - thetas, step @ path.beta, 0.05)
        theirs = [programme.keeps(theta, gammas, vertices.critical, 0.05) for theta in thetas]
        assert ours.tolist() == theirs
        verdicts += theirs
    assert 0.1 < np.mean(verdicts) < 0.9


def test_the_first_stage_has_its_size_when_every_inequality_binds():
    rng, draws = np.random.default_rng(3), 400_000
    for path, step, _, vertices in cases()[::3]:
        both = np.vstack([path.row, step])
        noise = rng.multivariate_normal(np.zeros(2), both @ path.vcov @ both.T, size=draws)
        share = np.mean((noise @ vertices.rows.T).max(axis=1) > vertices.critical)
        assert share == pytest.approx(0.005, abs=4 * np.sqrt(0.005 * 0.995 / draws))


def test_the_union_covers_the_truth_at_the_edge_of_what_is_allowed():
    """Trends that use up the limit, in both directions of effect and step: coverage never below 95 %."""
    draws, limit, rng = 20_000, 1.0, np.random.default_rng(8)
    path = drawn_path(11, 3, 2)
    rows = steps_before(path)
    tests = [(s * row, find_vertices(path, s * row, limit=limit, alpha=0.05)) for row in rows for s in (1, -1)]
    largest = np.sqrt(np.diag(rows @ path.vcov @ rows.T)).mean()
    later = np.cumsum(path.weights[::-1])[::-1]
    covered = []
    for size, direction in itertools.product((0.0, 1.0, 4.0), (1, -1)):
        steps = size * largest * np.array([0.3, -0.2, 1.0, *(direction * limit * np.sign(later))])
        trend = np.concatenate([-np.cumsum(steps[2::-1])[::-1], np.cumsum(steps[3:])])
        noisy = rng.multivariate_normal(trend, path.vcov, size=draws)
        kept = [accepts(vertices, noisy @ path.row, noisy @ row, 0.05) for row, vertices in tests]
        covered.append(np.mean(np.any(kept, axis=0)))
    error = np.sqrt(0.05 * 0.95 / draws)
    assert min(covered) > 0.95 - 4 * error
    assert min(covered) < 0.98  # and the worst of them is not wasteful


# Closed cases.


@pytest.mark.parametrize("weights", [[1, 0, 0], [0, 0, 1], [1 / 3, 1 / 3, 1 / 3], [1, -2, 0.5]])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_no_departure_relative_to_before_is_the_ordinary_interval(weights, level):
    path = drawn_path(5, 4, 3)
    weights = np.array(weights)
    found = relative_magnitude_bounds(path.beta, path.vcov, n_pre=4, weights=weights, limit_mbar=0, level=level)
    half = norm.ppf(0.5 + level / 2) * np.sqrt(weights @ path.vcov[4:, 4:] @ weights)
    middle = weights @ path.beta[4:]
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half), rel=1e-7)


@pytest.mark.parametrize(("n_pre", "n_post"), [(1, 1), (2, 3), (6, 2), (12, 4)])
def test_no_bend_is_the_straight_line_by_generalised_least_squares(n_pre, n_post):
    path = drawn_path(n_pre, n_pre, n_post)
    times = np.r_[np.arange(-n_pre, 0), np.arange(1, n_post + 1)].astype(float)
    design = np.column_stack([times, np.vstack([np.zeros((n_pre, n_post)), np.eye(n_post)])])
    inverse = np.linalg.inv(path.vcov)
    covariance = np.linalg.inv(design.T @ inverse @ design)
    fitted = covariance @ design.T @ inverse @ path.beta
    middle = path.weights @ fitted[1:]
    error = np.sqrt(path.weights @ covariance[1:, 1:] @ path.weights)
    found = smoothness_bounds(**arguments(path), limit_m=0)
    assert (found.estimate, found.std_error, found.worst_bias) == pytest.approx((middle, error, 0.0))
    assert found.high - found.low == pytest.approx(2 * Z * error)


def test_one_period_on_each_side_leaves_nothing_to_choose():
    """The estimate is β₁ + β₋₁, biased by at most M: a folded normal quantile in closed form."""
    found = smoothness_bounds([0.4, 2.0], [[1.0, 0.3], [0.3, 2.0]], n_pre=1, weights=[1], limit_m=1.5)
    assert (found.estimate, found.pre_weights, found.worst_bias) == (2.4, (1.0,), 1.5)
    error, half = np.sqrt(3.6), found.high - 2.4
    assert found.std_error == pytest.approx(error)
    assert norm.cdf((half - 1.5) / error) - norm.cdf((-half - 1.5) / error) == pytest.approx(0.95, abs=1e-9)


@pytest.mark.parametrize(
    ("n_pre", "n_post", "limit"), [(2, 1, 0.3), (3, 2, 0.05), (5, 3, 0.4), (7, 2, 0.02), (7, 2, 2)]
)
def test_no_affine_estimate_has_a_shorter_interval(n_pre, n_post, limit):
    """A general solver over the bends (their positive and negative parts) finds the same half length."""
    path = drawn_path(20 + n_pre, n_pre, n_post)
    times = np.r_[np.arange(-n_pre, 0), np.arange(1, n_post + 1)].astype(float)
    after = sum(abs(path.row @ np.clip(times - j, 0, None)) for j in range(n_post))

    def half(v: np.ndarray, bends: np.ndarray) -> float:
        whole = np.r_[v, path.weights]
        error, bias = np.sqrt(whole @ path.vcov @ whole), limit * (after + bends.sum())
        low, high = 0.0, bias + 9 * error
        for _ in range(50):
            c = (low + high) / 2
            inside = ndtr((c - bias) / error) - ndtr((-c - bias) / error)
            low, high = (c, high) if inside < 0.95 else (low, c)
        return high

    back = np.array([np.clip(-j - times[:n_pre], 0, None) for j in range(1, n_pre)]).reshape(n_pre - 1, n_pre)
    n = n_pre
    rules = [
        {"type": "eq", "fun": lambda x: x[:n] @ times[:n] + path.weights @ times[n:]},
        {"type": "eq", "fun": lambda x: back @ x[:n] - x[n : 2 * n - 1] + x[2 * n - 1 :]},
    ]
    start = np.array(estimate_frontier(path).corners[0])
    bends = back @ start
    begin = np.r_[start, bends.clip(0), (-bends).clip(0)] + 0.01
    found = minimize(
        lambda x: half(x[:n], x[n:]),
        begin,
        method="SLSQP",
        constraints=rules,
        bounds=[(None, None)] * n + [(0, None)] * (2 * n - 2),
        options={"maxiter": 500, "ftol": 1e-12},
    )
    ours = smoothness_bounds(**arguments(path), limit_m=limit)
    assert (ours.high - ours.low) / 2 == pytest.approx(found.fun, abs=SOLVER * max(1.0, found.fun))


# What must hold for any event study.

PATHS = st.builds(drawn_path, st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 4))


@settings(max_examples=25)
@given(path=PATHS, factor=st.sampled_from([1e-4, 0.3, -1.0, 50.0]), limit=st.sampled_from([0.0, 0.4, 1.7]))
def test_intervals_follow_the_unit(path, factor, limit):
    moved = arguments(path) | {"beta": path.beta * factor, "vcov": path.vcov * factor**2}
    rm, rm_moved = (relative_magnitude_bounds(**a, limit_mbar=limit) for a in (arguments(path), moved))
    sd = smoothness_bounds(**arguments(path), limit_m=limit)
    sd_moved = smoothness_bounds(**moved, limit_m=limit * abs(factor))
    for before, after in ((rm, rm_moved), (sd, sd_moved)):
        ends = sorted((before.low * factor, before.high * factor))
        assert (after.low, after.high) == pytest.approx(ends, rel=1e-6, abs=1e-6 * abs(factor))


@settings(max_examples=25)
@given(path=PATHS, limits=st.lists(st.floats(0, 4), min_size=2, max_size=2, unique=True))
def test_intervals_grow_with_the_limit_and_hold_what_the_estimates_allow(path, limits):
    small, large = sorted(limits)
    narrow, wide = (smoothness_bounds(**arguments(path), limit_m=m) for m in (small, large))
    assert wide.high - wide.low >= narrow.high - narrow.low - 1e-9
    assert wide.low <= wide.estimate - wide.worst_bias < wide.estimate + wide.worst_bias <= wide.high
    found = relative_magnitude_bounds(**arguments(path), limit_mbar=large)
    later = np.abs(np.cumsum(path.weights[::-1])).sum()
    reach = large * later * np.abs(steps_before(path) @ path.beta).max()
    assert found.low <= found.estimate - reach <= found.estimate + reach <= found.high
    inner = relative_magnitude_bounds(**arguments(path), limit_mbar=small)
    assert found.low <= inner.low <= inner.high <= found.high


@settings(max_examples=25)
@given(path=PATHS)
def test_beyond_the_ends_nothing_is_kept(path):
    found = relative_magnitude_bounds(**arguments(path), limit_mbar=1)
    width = found.high - found.low
    outside = np.r_[found.low - np.geomspace(1e-4, 50, 40) * width, found.high + np.geomspace(1e-4, 50, 40) * width]
    for row in steps_before(path):
        for step in (row, -row):
            vertices = find_vertices(path, step, limit=1, alpha=0.05)
            assert not accepts(vertices, path.row @ path.beta - outside, step @ path.beta, 0.05).any()


@settings(max_examples=20)
@given(path=PATHS, seed=st.integers(0, 1000))
def test_another_base_leaves_the_intervals_as_they_are(path, seed):
    """Relative to the average of all periods before treatment, whose covariance is singular, and back."""
    size, p = len(path.beta) + 1, path.n_pre
    full = np.insert(np.eye(len(path.beta)), p, 0.0, axis=0)  # the base is 0
    average = (np.eye(size) - np.outer(np.ones(size), np.r_[np.ones(p + 1), np.zeros(path.n_post)] / (p + 1))) @ full
    beta, vcov = rebase_to_last(average @ path.beta, average @ path.vcov @ average.T, n_pre=p + 1)
    assert beta == pytest.approx(path.beta)
    moved = {"beta": beta, "vcov": vcov, "n_pre": p, "weights": path.weights}
    for bounds, limit in ((smoothness_bounds, "limit_m"), (relative_magnitude_bounds, "limit_mbar")):
        first, second = bounds(**arguments(path), **{limit: 0.8}), bounds(**moved, **{limit: 0.8})
        assert (first.low, first.high) == pytest.approx((second.low, second.high), rel=1e-6, abs=1e-8)


def test_a_linear_trend_shows_as_a_line_and_is_no_effect():
    times = np.array([-4, -3, -2, -1, 0, 1, 2]) * 0.7
    beta, vcov = rebase_to_last(times - times[:4].mean(), np.eye(7) + 0.2, n_pre=4)
    assert np.diff(np.insert(beta, 3, 0.0)) == pytest.approx(np.full(6, 0.7))
    found = smoothness_bounds(beta, vcov, n_pre=3, weights=[0, 0, 1], limit_m=0)
    assert found.estimate == pytest.approx(0.0, abs=1e-12)


# The breakdown value.


@pytest.mark.parametrize("kind", ["relative_magnitude", "smoothness"])
@pytest.mark.parametrize("sign", [1, -1])
def test_up_to_the_breakdown_value_the_interval_excludes_zero(kind, sign):
    path = drawn_path(2, 3, 2)
    asked = {"beta": sign * np.r_[path.beta[:3] / 4, 6.0, 7.0], "vcov": path.vcov, "n_pre": 3, "weights": [0.5, 0.5]}
    found = breakdown_value(**asked, kind=kind)
    assert found > 0
    limit, bounds = (
        ("limit_m", smoothness_bounds) if kind == "smoothness" else ("limit_mbar", relative_magnitude_bounds)
    )
    assert not bounds(**asked, **{limit: found * (1 - 1e-6)}).covers_zero
    assert bounds(**asked, **{limit: found * (1 + 1e-6)}).covers_zero
    assert breakdown_value(**asked | {"vcov": 50 * path.vcov}, kind=kind) == 0


def test_leads_that_are_zero_without_doubt_allow_any_multiple():
    vcov = np.diag([0.0, 0.0, 1.0])
    assert breakdown_value([0, 0, 5.0], vcov, n_pre=2, weights=[1]) == np.inf
    found = relative_magnitude_bounds([0, 0, 5.0], vcov, n_pre=2, weights=[1], limit_mbar=10)
    assert (found.low, found.high) == pytest.approx((5 - Z, 5 + Z))


# The power of the lead test.


def test_one_lead_and_independent_leads_have_closed_forms():
    one = roth_power([-2], [[0.25]], slope=0.3)
    closed = norm.cdf(Z - 1.2) - norm.cdf(-Z - 1.2)
    assert (one.passing, one.passing_if_parallel) == pytest.approx((closed, 0.95), abs=1e-9)
    assert one.bayes_factor == pytest.approx(closed / 0.95)
    three = roth_power([-3, -2, -1], np.diag([1.0, 2.0, 3.0]), slope=0.6, beta=[0.1, 0.2, 0.3])
    means = 0.6 * np.array([-3, -2, -1]) / np.sqrt([1, 2, 3])
    assert three.passing == pytest.approx(np.prod(norm.cdf(Z - means) - norm.cdf(-Z - means)), abs=1e-5)
    scaled = np.array([0.1, 0.2, 0.3]) / np.sqrt([1, 2, 3])
    assert three.likelihood_ratio == pytest.approx(np.prod(norm.pdf(scaled - means) / norm.pdf(scaled)))


def test_power_is_the_share_of_draws_with_a_significant_lead():
    path, draws = drawn_path(4, 5, 1), 400_000
    vcov = path.vcov[:5, :5]
    found = roth_power(np.arange(-5, 0), vcov, power=0.8)
    noise = np.random.default_rng(1).multivariate_normal(np.zeros(5), vcov, size=draws)
    for slope, share in ((found.slope, found.passing), (0.0, found.passing_if_parallel)):
        kept = (np.abs(noise + slope * np.arange(-5, 0)) <= Z * np.sqrt(np.diag(vcov))).all(axis=1).mean()
        assert kept == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / draws))
    assert found.power == pytest.approx(0.8, abs=1e-6)


# What cannot be meant.

GOOD = {"beta": [0.1, 0.2, 1.0, 2.0], "vcov": np.eye(4), "n_pre": 2, "weights": [1.0, 0.0]}


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        ({"vcov": np.eye(3)}, DataError, "QB570"),
        ({"beta": [[0.1, 0.2, 1.0, 2.0]]}, DataError, "QB570"),
        ({"beta": []}, DataError, "QB570"),
        ({"beta": ["a", "b", "c", "d"]}, DataError, "QB570"),
        ({"weights": [1.0]}, DataError, "QB570"),
        ({"beta": [0.1, np.nan, 1.0, 2.0]}, DataError, "QB571"),
        ({"vcov": np.diag([1, 1, np.inf, 1])}, DataError, "QB571"),
        ({"weights": [np.nan, 1]}, DataError, "QB571"),
        ({"vcov": np.diag([1, 1, 1, -1])}, DataError, "QB572"),
        ({"vcov": np.triu(np.ones((4, 4)))}, DataError, "QB572"),
        ({"vcov": np.diag([1, 1, 0, 1])}, DataError, "QB573"),
        ({"vcov": np.zeros((4, 4))}, DataError, "QB573"),
        ({"n_pre": 0}, UsageError, "QB574"),
        ({"n_pre": 4}, UsageError, "QB574"),
        ({"n_pre": 1.5}, UsageError, "QB574"),
        ({"weights": [0, 0]}, UsageError, "QB575"),
        ({"limit": -1}, UsageError, "QB576"),
        ({"limit": np.nan}, UsageError, "QB576"),
        ({"limit": "wide"}, UsageError, "QB576"),
        ({"level": 95}, UsageError, "QB503"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_four_lines(change, error, code):
    asked = GOOD | {"limit": 1.0} | change
    limit = asked.pop("limit")
    for bounds, name in ((smoothness_bounds, "limit_m"), (relative_magnitude_bounds, "limit_mbar")):
        with pytest.raises(error, match=code) as caught:
            bounds(**asked, **{name: limit})
        assert len(caught.value.render("zh").splitlines()) == len(caught.value.render("en").splitlines()) == 4


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: relative_magnitude_bounds(**GOOD, limit_mbar=1, grid=3), "QB577"),
        (lambda: breakdown_value(**GOOD, kind="smooth"), "QB144"),
        (lambda: rebase_to_last([1, 2, 3], np.eye(3), n_pre=1), "QB574"),
        (lambda: rebase_to_last([1, 2, 3], np.eye(2), n_pre=2), "QB570"),
        (lambda: roth_power([-2, -1], np.eye(2)), "QB578"),
        (lambda: roth_power([-2, -1], np.eye(2), slope=1, power=0.5), "QB578"),
        (lambda: roth_power([-2, -1], np.eye(2), power=0.05), "QB578"),
        (lambda: roth_power([-2, -1], np.eye(2), power=1), "QB578"),
        (lambda: roth_power([-2, -1], np.eye(2), slope=np.inf), "QB578"),
        (lambda: roth_power([-1, 0], np.eye(2), slope=1), "QB570"),
        (lambda: roth_power([-2, -1], np.eye(2), slope=1, beta=[1]), "QB570"),
        (lambda: roth_power([-2, -1], np.ones((2, 2)), slope=1), "QB579"),
        (lambda: roth_power([-2, -1], np.zeros((2, 2)), slope=1), "QB579"),
    ],
)
def test_other_calls_that_cannot_be_meant(call, code):
    with pytest.raises(QbaseError, match=code):
        call()


def test_singular_covariances_of_the_steps_are_no_obstacle():
    """Two leads that move as one: the estimate stays inside, and a frontier exists."""
    mixing = np.array([[1.0, 0], [1.0, 0], [0.3, 1.0]])
    asked = {"beta": [0.5, 0.5, 3.0], "vcov": mixing @ mixing.T, "n_pre": 2, "weights": [1]}
    found = relative_magnitude_bounds(**asked, limit_mbar=1)
    assert found.low < 3 - 0.5 < 3 + 0.5 < found.high
    path = read_event_path(**asked)
    bent = smooth_interval(path, estimate_frontier(path), limit=0.1, alpha=0.05)
    assert np.isfinite([bent.low, bent.high]).all()


def test_a_covariance_from_fewer_clusters_than_coefficients_gives_no_smooth_interval():
    """Four clusters and seven coefficients: leads can be combined until no noise is left, which is no precision."""
    scores = np.random.default_rng(6).normal(size=(4, 7))
    scores -= scores.mean(axis=0)
    asked = {"beta": scores[0], "vcov": scores.T @ scores, "n_pre": 5, "weights": [1, 0]}
    for limit in (0, 0.1):
        with pytest.raises(DataError, match="QB573"):
            smoothness_bounds(**asked, limit_m=limit)
    with pytest.raises(DataError, match="QB573"):
        breakdown_value(**asked, kind="smoothness")
    found = relative_magnitude_bounds(**asked, limit_mbar=1)  # needs the effect and one step at a time
    assert found.low < found.estimate < found.high
