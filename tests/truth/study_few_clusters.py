"""Size, coverage and power with few treated clusters, k of n batches a cell; results in docs/studies/few_clusters.md.

Run it from the root of the project: ``python tests/truth/study_few_clusters.py``. It goes round the cells, a hundred
draws at a time, keeps what it has in ``study_few_clusters.json`` of the folder for temporary files and ends after
2,000 draws of each design, 5,000 of the worst without effect, or the seconds given as its argument.
test_few_clusters.py runs a part of it.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import itertools
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from average_base import AverageBase
from linear_placebos import place
from scipy import special, stats

from qbase.core.text import Text
from qbase.core.values import Indicator
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.doubt.cluster_jackknife import two_group_df
from qbase.effects.doubt.conley_taber import MOST, NO_OWN, control_places, control_widening, untreated_only
from qbase.effects.doubt.few_clusters import LEAST
from qbase.effects.doubt.history_noise import Noise, fit_noise, with_caution
from qbase.effects.doubt.known_variance import attained_level, chance_of_known, is_undecided, share_of_power
from qbase.effects.doubt.path_calibration import find_family, find_leads, largest_lead, placebo_band
from qbase.effects.doubt.path_statistics import joint_f, quadratic_f
from qbase.effects.doubt.placebo_paths import find_exchange
from qbase.effects.fitting.path_fit import Ints, PathFit
from qbase.stats.testing.adoption_permutations import TIE, permutation_p

OUT = Path("docs/studies/few_clusters.md")
KEPT = Path(tempfile.gettempdir()) / "study_few_clusters.jsonl"
T, ROUND, ENOUGH, PERMUTATIONS, SAME_DEAL = 40, 50, 2_000, 199, 50
FLAGGED = 100
"""Draws of a null cell stored without ``undecided`` that are made again for it when the study is written."""
WORST, SURE = 6, 5_000
"""So many null designs of the highest bounds, and all above the line, are drawn so often."""
LINE = 0.07
"""The upper 99 % bound of a size has to be below."""
SEED = 7_000
RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
STARTS = {1: [20], 2: [18, 24], 3: [18, 20, 24], 4: [16, 18, 20, 24], 8: [16, 16, 18, 18, 20, 20, 24, 24]}
NOISE = {"binomial": (0.0, 0.0), "over-dispersed .1": (0.1, 0.0), "AR(.8) shocks": (0.0, 0.3)}
EVENT = 3
ALPHA = 0.05
ESTIMATOR = AverageBase(leads=4, lags=8)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """One design: treated of clusters, treated/control batch ratio, noise, change of the treated in points."""

    treated: int
    clusters: int
    ratio: float
    noise: str
    change: float = 0.0

    @property
    def key(self) -> str:
        return f"{self.treated}|{self.clusters}|{self.ratio:g}|{self.noise}|{self.change:g}"


def cells() -> list[Cell]:
    grid = itertools.product(STARTS, (12, 36), (0.2, 1.0, 5.0), NOISE, (0.0, -5.0, -10.0))
    return [
        Cell(treated=m, clusters=n, ratio=r, noise=noise, change=change)
        for m, n, r, noise, change in grid
        if change == 0 or noise == "binomial"
    ]


def draw_grid(
    rng: np.random.Generator, starts: list[int], clusters: int, *, ratio: float = 1.0, noise: str = "binomial",
    change: float = 0.0,
) -> OutcomeGrid:  # fmt: skip
    """Return k-of-n cells of clusters of which the first are treated."""
    dispersion, shock = NOISE[noise]
    start = np.full(clusters, np.nan)
    start[: len(starts)] = starts
    n = 4 + rng.poisson(13, (clusters, T))
    n[: len(starts)] = np.maximum(1, np.round(n[: len(starts)] * ratio))
    logit = np.repeat(rng.normal(2.1, 0.45, (clusters, 1)), T, axis=1)
    state = rng.normal(0, 1, clusters)
    for t in range(T):
        logit[:, t] += shock * state
        state = 0.8 * state + np.sqrt(1 - 0.64) * rng.normal(0, 1, clusters)
    p = 1 / (1 + np.exp(-logit))
    p = np.clip(p + change / 100 * (np.arange(T) >= start[:, None]), 0.001, 0.999)
    if dispersion:
        p = rng.beta(p * (1 / dispersion - 1), (1 - p) * (1 / dispersion - 1))
    k = rng.binomial(n, p)
    return OutcomeGrid(
        indicator=RATE,
        freq="Q",
        entities=tuple(f"K{i:03d}" for i in range(clusters)),
        first=0,
        y=100 * k / n,
        n=n.astype(float),
        k=k.astype(float),
        start=start,
        weight=np.ones(clusters),
        cluster=np.arange(clusters),
    )


def deal(grid: OutcomeGrid, *, seed: int) -> tuple[Ints, Ints | None]:
    """Return whose history each takes on, for some draws of one design; the second for Conley and Taber."""
    exchange = find_exchange(grid, ESTIMATOR, ESTIMATOR(grid), draws=PERMUTATIONS, seed=seed)
    assert exchange is not None
    places = exchange.places[np.random.default_rng(seed).permutation(len(exchange.places))[:PERMUTATIONS]]
    is_few = int(grid.is_treated.sum()) <= MOST
    return places, control_places(grid, draws=PERMUTATIONS, seed=seed)[:PERMUTATIONS] if is_few else None


def analyse(
    grid: OutcomeGrid, places: Ints, controls: Ints | None, *, seed: int, effect: float = 0.0
) -> dict[str, float]:
    """Return p values of one draw by every method, and the estimate."""
    fit = ESTIMATOR(grid)
    g, event = len(grid.y), fit.terms.index(("event", EVENT))
    leads, family = find_leads(fit), find_family(fit)
    noise = fit_noise(grid)
    placed = place(grid, ESTIMATOR, noise, len(fit.beta))
    own = placed.sums(placed.outcome, places, seed=seed)
    lever = placed.sums(placed.treatment, places)
    bare = own - fit.beta[0] * lever
    every = np.vstack([fit.beta, bare])[:, leads]
    tails = placed.tails(grid)
    f, t = quadratic_f(every), largest_lead(fit.beta[leads], bare[:, leads], tails.of_terms(leads))
    p = {
        "lead_f": permutation_p(float(f[0]), f[1:]),
        "lead_t": permutation_p(float(t[0]), t[1:]),
        "perm_att": permutation_p(abs(fit.beta[0]), np.abs(own[:, 0])),
        "perm_event": permutation_p(abs(fit.beta[event]), np.abs(own[:, event])),
        "missed": permutation_p(
            abs(fit.beta[0] - effect) / placed.moved(grid).widening(effect, 0, float(bare[:, 0].std())),
            np.abs(own[:, 0] - effect * lever[:, 0]),
        ),
    }
    if len(family):
        p["band"] = placebo_band(
            fit.beta[family], bare[:, family], level=0.95, n_clusters=g, tails=tails.of_terms(family)
        )[1]
    if controls is not None:
        p["ct_att"] = conley_taber_p(grid, with_caution(noise, grid.is_treated, NO_OWN), fit, controls)
    p |= {"undecided": float(is_withheld(grid, fit, noise, places, p["perm_att"], seed=seed))}
    return p | t_tests(grid, fit, leads, event) | {"estimate": float(fit.beta[0])}


def is_withheld(grid: OutcomeGrid, fit: PathFit, noise: Noise, places: Ints, p: float, *, seed: int) -> bool:
    """Return whether nothing is rejected and that is called undecidable, as `check_test_power` does."""
    if p <= ALPHA + TIE:
        return False
    df = float(len(grid.y) - 2)
    chance = chance_of_known(float(fit.beta[0]) / free_error(grid, fit, noise, places, seed=seed), df)
    return is_undecided(share_of_power(df, attained_level(len(places))), chance)


def free_error(grid: OutcomeGrid, fit: PathFit, noise: Noise, places: Ints, *, seed: int) -> float:
    """Return the standard error of the overall effect as `known_error` guesses it."""
    plain = place(grid, ESTIMATOR, with_caution(noise, grid.is_treated, 0.0), len(fit.beta))
    bare = plain.sums(plain.outcome, places, seed=seed) - fit.beta[0] * plain.sums(plain.treatment, places)
    return float(bare[:, 0].std())


def conley_taber_p(grid: OutcomeGrid, noise: Noise, fit: PathFit, controls: Ints) -> float:
    """Return Conley and Taber's p of the overall effect, as `infer_conley_taber` does."""
    placed = place(grid, ESTIMATOR, untreated_only(grid, noise), len(fit.beta))
    beta = placed.sums(placed.outcome, controls)[:, 0] * control_widening(grid)
    return permutation_p(abs(fit.beta[0]), np.abs(beta))


def t_tests(grid: OutcomeGrid, fit: PathFit, leads: np.ndarray, event: int) -> dict[str, float]:
    """Return p values without placebos; the jackknife of this estimator has a closed form (see test_few_clusters)."""
    g = len(grid.y)
    apart = closed_jackknife(grid, fit)
    crv3 = np.sqrt((apart**2).sum(axis=0) * (g - 1) / g)
    plain = np.sqrt((fit.influence**2).sum(axis=0) * g / (g - 1))
    df = two_group_df(grid, fit)
    f = float(joint_f(fit.beta[None, leads], fit.influence[None][:, :, leads])[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        found = {"nominal_f": float(special.fdtrc(len(leads), g - 1, f))}
        for name, k in (("att", 0), ("event", event)):
            t = -abs(fit.beta[k])
            found[f"crv1_{name}"] = float(2 * special.stdtr(g - 1, t / plain[k]))
            found[f"crv3_{name}"] = float(2 * special.stdtr(g - 1, t / crv3[k]))
            found[f"crv3df_{name}"] = float(2 * special.stdtr(df[k], t / crv3[k]))
    return found


def closed_jackknife(grid: OutcomeGrid, fit: PathFit) -> Floats:
    """Return estimates without each cluster less the estimate: an average loses one of its members."""
    there = fit.n_treated.astype(float)
    controls = float((~grid.is_treated).sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.where(grid.is_treated[:, None], there / (there - 1), controls / (controls - 1))
        return -fit.influence * factor


def draw_cell(cell: Cell, first: int, draws: int) -> Iterator[dict[str, float]]:
    dealt: tuple[Ints, Ints | None] | None = None
    for number in range(first, first + draws):
        seed = [SEED, cell.treated, cell.clusters, int(10 * cell.ratio), list(NOISE).index(cell.noise), number]
        rng = np.random.default_rng([*seed, int(-cell.change)])
        grid = draw_grid(
            rng, STARTS[cell.treated], cell.clusters, ratio=cell.ratio, noise=cell.noise, change=cell.change
        )
        if dealt is None or number % SAME_DEAL == 0:
            dealt = deal(grid, seed=number)
        yield analyse(grid, *dealt, seed=number, effect=cell.change)


def bounds(hit: int, of: int) -> tuple[float, float]:
    """Return Clopper and Pearson's 99 % bounds of a share."""
    low = 0.0 if hit == 0 else float(stats.beta.ppf(0.005, hit, of - hit + 1))
    return low, 1.0 if hit == of else float(stats.beta.ppf(0.995, hit + 1, of - hit))


SIZES = ("perm_att", "perm_event", "band", "lead_f", "lead_t", "ct_att")
"""Tests that are offered."""
Store = dict[str, dict[str, list[float]]]
PLAIN: dict[str, Callable[[float], float]] = {"estimate": lambda value: round(value, 4), "undecided": int}
"""What is stored otherwise than as a rejection at 5 %."""


def read_kept() -> Store:
    """Return by cell what was kept: of each name one value a draw (1 for a rejection), and the estimates."""
    kept: Store = {}
    for line in KEPT.read_text().splitlines() if KEPT.exists() else ():
        row = json.loads(line)
        store = kept.setdefault(row.pop("key"), {})
        row.setdefault("undecided", [math.nan] * len(row["estimate"]))
        for name, values in row.items():
            found = [int(sign) for sign in values] if isinstance(values, str) else values
            store.setdefault(name, []).extend(found)
    return kept


def add_undecided(kept: Store) -> Store:
    """Return the same with ``undecided`` of cells stored without it: the first draws are made again, by number."""
    added = dict(kept)
    for cell in cells():
        found = kept.get(cell.key)
        if found and np.isnan(found["undecided"]).all():
            total = len(found["estimate"])
            again = total if cell.change else min(FLAGGED, total)
            first = [draw["undecided"] for draw in draw_cell(cell, 0, again)]
            added[cell.key] = found | {"undecided": [*first, *[math.nan] * (total - len(first))]}
    return added


def tests_of(cell: Cell, found: dict[str, list[float]]) -> list[str]:
    """Return the tests that say something of a cell."""
    return [name for name in SIZES if found.get(name) and (name != "perm_event" or cell.treated >= LEAST)]


def add_round(cell: Cell, first: int, draws: int) -> dict[str, list[float]]:
    """Return rejections and estimates of some draws, and append them to what is kept."""
    found: dict[str, list[float]] = {}
    for draw in draw_cell(cell, first, draws):
        for name, value in draw.items():
            found.setdefault(name, []).append(PLAIN[name](value) if name in PLAIN else int(value <= ALPHA + TIE))
    plain = {n: v if n == "estimate" else "".join(map(str, v)) for n, v in found.items()}
    with KEPT.open("a") as file:
        file.write(json.dumps({"key": cell.key, **plain}) + "\n")
    return found


def main(seconds: float) -> None:
    kept, begun = read_kept(), time.monotonic()
    while time.monotonic() - begun < seconds:
        goal = wanted(kept)
        made = {cell: len(kept.get(cell.key, {}).get("estimate", ())) for cell in goal}
        due = min(goal, key=lambda cell: (made[cell] / goal[cell], cell.change != 0, -cell.treated))
        if made[due] >= goal[due]:
            break
        store = kept.setdefault(due.key, {})
        for name, values in add_round(due, made[due], ROUND).items():
            store.setdefault(name, []).extend(values)


def wanted(kept: Store) -> dict[Cell, int]:
    """Return the draws of each cell: 2,000, of the worst null designs 5,000, of one in twelve 200."""
    goal: dict[Cell, int] = {}
    highest: dict[Cell, float] = {}
    for cell in cells():
        found = kept.get(cell.key, {"estimate": []})
        goal[cell] = ENOUGH
        if (cell.treated, cell.clusters) == (1, 12):
            goal[cell] = 200
        elif not cell.change and len(found["estimate"]) >= ENOUGH:
            # by the first draws only: who is drawn again must not hang on what the further ones show
            highest[cell] = max(bounds(int(sum(found[name][:ENOUGH])), ENOUGH)[1] for name in tests_of(cell, found))
    ranked = sorted(highest, key=lambda cell: -highest[cell])
    return goal | {cell: SURE for i, cell in enumerate(ranked) if i < WORST or highest[cell] >= LINE}


def share(values: list[float]) -> str:
    """Return the share of rejections with its 99 % bounds, in percent."""
    low, high = bounds(int(sum(values)), len(values))
    return f"{100 * sum(values) / len(values):.1f} ({100 * low:.1f}–{100 * high:.1f})"


def no_answer(found: dict[str, list[float]]) -> str:
    """Return the share of draws called undecidable, in percent, of those of which that is known."""
    told = np.array(found["undecided"], dtype=float)
    told = told[~np.isnan(told)]
    return f"{100 * told.mean():.0f}" if len(told) else "–"


def kept_of_answered(found: dict[str, list[float]], known: np.ndarray) -> str:
    """Return what share of the draws a known variance rejects is rejected where a verdict is given, in percent."""
    answered = known & (np.array(found["undecided"], dtype=float) == 0)
    return f"{100 * np.array(found['perm_att'])[answered].mean():.0f}" if answered.any() else "–"


def null_row(cell: Cell, found: dict[str, list[float]]) -> str:
    names = ["lead_f", "lead_t", "ct_att", "crv3df_att", "crv3df_event", "crv1_att", "nominal_f"]
    event = share(found["perm_event"]) if cell.treated >= 3 else "no answer"
    rest = (share(found[name]) if found.get(name) else "–" for name in names)
    cells = [
        cell.treated,
        cell.clusters,
        "all" if cell.noise == "all" else f"{cell.ratio:g}",
        cell.noise,
        len(found["estimate"]),
        no_answer(found),
        share(found["perm_att"]),
        event,
        share(found["band"]) if "band" in found else "no band",
        *rest,
    ]
    return f"| {' | '.join(map(str, cells))} |"


def power_row(cell: Cell, found: dict[str, list[float]], null: dict[str, list[float]]) -> str:
    known = np.abs(found["estimate"]) > 1.96 * float(np.std(null["estimate"]))
    rejected = [np.array(found[name], dtype=bool) for name in ("perm_att", "crv3df_att", "ct_att") if name in found]
    kept = [f"{100 * m[known].mean():.0f}" if known.any() else "–" for m in rejected]
    missed = bounds(int(sum(found["missed"])), len(known))
    numbers = [f"{100 * known.mean():.0f}", *(f"{100 * m.mean():.0f}" for m in rejected[:1])]
    covered = f"{100 * (1 - np.mean(found['missed'])):.1f} (≥ {100 * (1 - missed[1]):.1f})"
    cells = [cell.treated, cell.clusters, f"{cell.ratio:g}", f"{cell.change:g}", len(known), no_answer(found)]
    cells += [*numbers, kept[0], kept_of_answered(found, known), *kept[1:], *["–"] * (3 - len(kept)), covered]
    return f"| {' | '.join(map(str, cells))} |"


def pooled_row(treated: int, kept: Store) -> str:
    """Return sizes over all ratios and noises of one number of treated, each design by as many draws."""
    parts = []
    for clusters in (12, 36):
        alike = [c for c in cells() if (c.treated, c.clusters, c.change) == (treated, clusters, 0.0)]
        fewest = min(len(kept.get(c.key, {}).get("estimate", [])) for c in alike)
        found: dict[str, list[float]] = {}
        for cell in alike if fewest else ():
            for name, values in kept[cell.key].items():
                found.setdefault(name, []).extend(values[:fewest])
        if found:
            parts.append(null_row(dataclasses.replace(ALL, treated=treated, clusters=clusters), found))
    return "\n".join(parts)


ALL = Cell(treated=1, clusters=12, ratio=1.0, noise="all")

NULL_COLUMNS = [
    "treated", "of", "batch ratio", "noise", "draws", "no answer", "overall", "event time 3", "joint band", "leads F",
    "leads max t", "Conley–Taber", "CRV3 overall", "CRV3 event time 3", "CRV1", "nominal F",
]  # fmt: skip
POWER_COLUMNS = [
    "treated", "of", "batch ratio", "change", "draws", "no answer", "known variance", "permutation",
    "permutation of known", "where a verdict is given", "CRV3 of known", "Conley–Taber of known",
    "coverage of the change",
]  # fmt: skip

INTRO = """
Made by `tests/truth/study_few_clusters.py` on {day}, seed {seed}, {total:,} draws, {versions}. {quarters}
quarters, n = 4 + Poisson(13) batches a cell times the treated/control batch ratio (at least 1), cluster effects
N(2.1, .45) on the logit scale; noise binomial, over-dispersed by .1, or with shocks of standard deviation .3 on
the logit scale and autocorrelation .8. Treated from quarters 16 to 24. {permutations} permutations or all. Estimator:
average base before four leads, controls never treated (`tests/truth/average_base.py`).

Rejections of a true null at 5 %, in percent, with 99 % bounds; 100 % less this is the coverage of 0, for
intervals are inverted tests. **Overall** and **event time** are by the method chosen: permutation of rescaled
histories. **CRV3** has Satterthwaite's degrees of freedom. **Nominal F** is the clustered Wald test of
the leads with F(q, G − 1). **No answer** is the share of draws whose result is “the data cannot decide”: nothing is
rejected, and either degrees of freedom and placebos leave less than 80 % of the power of a known variance, or a known
variance would have rejected this estimate with a chance above 20 % (`check_test_power`). It is told by all draws under
a change, else by the first {flagged} of a design or more. Below three treated no term has an interval.
"""

POWER = """
Share of draws, in percent, in which a fall of the treated by 5 or 10 points is found by a test that knows the
variance, and by permutation; of the draws in which the first finds it, the share in which each method does, and
permutation **where a verdict is given**, which leaves out the draws without an answer (at least 80 is asked); and how
often the interval by permutation covers the true change, with its lower 99 % bound.
"""


def head(columns: list[str]) -> str:
    return f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|\n"


def write_report(kept: Store, reading: str = "") -> str:
    """Return the study as Markdown; what was written by hand under Reading stays."""
    known = [cell for cell in cells() if kept.get(cell.key)]
    intro = INTRO.format(
        day=datetime.date.today(),
        seed=SEED,
        total=sum(len(found["estimate"]) for found in kept.values()),
        versions=", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("numpy", "scipy")),
        quarters=T,
        permutations=PERMUTATIONS,
        flagged=FLAGGED,
    )
    powers = [
        power_row(cell, kept[cell.key], kept[dataclasses.replace(cell, change=0.0).key])
        for cell in known
        if cell.change and dataclasses.replace(cell, change=0.0).key in kept
    ]
    parts = [
        "# Few treated clusters: size and power\n" + intro,
        reading and reading + "\n",
        "## All ratios and noises together\n",
        head(NULL_COLUMNS) + "\n".join(filter(None, (pooled_row(m, kept) for m in STARTS))) + "\n",
        "## Each design\n",
        head(NULL_COLUMNS) + "\n".join(null_row(cell, kept[cell.key]) for cell in known if cell.change == 0) + "\n",
        "## Power, binomial noise\n" + POWER,
        head(POWER_COLUMNS) + "\n".join(powers) + "\n",
    ]
    return "\n".join(part for part in parts if part)


def kept_reading() -> str:
    """Return what stands under Reading in the stored study."""
    text = OUT.read_text(encoding="utf-8") if OUT.exists() else ""
    return "## Reading" + text.split("## Reading")[1].split("\n## ")[0].rstrip() if "## Reading" in text else ""


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1e9)
    OUT.write_text(write_report(add_undecided(read_kept()), kept_reading()), encoding="utf-8")
