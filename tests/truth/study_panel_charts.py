"""Verdicts of control charts whose over-dispersion is learnt from a whole panel (docs/studies/breaks.md).

Run it from the root of the project: ``python tests/truth/study_panel_charts.py``. Some ten minutes on one core;
test_signals_truth.py runs the same on few draws. It writes its half of the page that study_breaks.py begins.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np

from qbase.stats import find_signals, judge_pooled, laney_chart, pool_likeness, scan_changes


def _load_breaks() -> ModuleType:
    """Return the study beside this one, however this one was loaded."""
    name = "study_breaks"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        if spec is None or spec.loader is None:
            raise ImportError(name)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


breaks = _load_breaks()
OUT = Path("docs/studies/breaks.md")
HEAD = breaks.PANEL
N_QUIET, N_MOVED, ENTITIES, SEED = 2000, 500, 36, 20261130
DRAWS, BAR_DRAWS = 499, 20_000
Floats = np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """How the correlation of the batches of a quarter lies among the entities of a panel."""

    name: str
    groups: tuple[tuple[float, float], ...] = ()
    mean: float = 0.0
    is_mixed: bool = False
    changing: int = 0

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        """Return a correlation for each entity: of one of the groups (share, value), or of a beta distribution."""
        if self.groups:
            shares, values = zip(*self.groups, strict=True)
            return rng.choice(values, size, p=shares)
        return rng.beta(self.mean * 18, (1 - self.mean) * 18, size)


def alike(rho: float) -> Kind:
    """Return the kind in which all entities have the same correlation."""
    return Kind(name=f"all {rho:g}", groups=((1.0, rho),))


UNLIKE = (
    Kind(name="half 0, half 0.1", groups=((0.5, 0.0), (0.5, 0.1)), is_mixed=True),
    Kind(name="five of six 0, one 0.15", groups=((5 / 6, 0.0), (1 / 6, 0.15)), is_mixed=True),
    Kind(name="spread about 0.05 (s.d. 0.05)", mean=0.05, is_mixed=True),
    Kind(name="all 0.05, six of 35 others fall by 20 points", groups=((1.0, 0.05),), changing=6),
)


def draw_panel(
    rng: np.random.Generator, kind: Kind, p: float, shift: float = 0.0, entities: int = ENTITIES
) -> tuple[Floats, Floats, float]:
    """Return passes and tests of a panel, and the correlation of its first entity: the one that is charted, at rate p.

    The others have rates of 80 to 97 %. Tests are 4 to 30 a quarter, or in a mixed panel about 6, 15, 17 or 40.
    """
    rho = kind.draw(rng, entities)
    n = rng.integers(4, 31, (entities, breaks.T))
    if kind.is_mixed:
        n = np.maximum(1, rng.poisson(rng.choice([6, 15, 17, 40], entities)[:, None], n.shape))
    share = np.repeat(rng.uniform(0.8, 0.97, entities)[:, None], breaks.T, axis=1)
    share[0] = np.where(np.arange(breaks.T) < breaks.AT, p, p + shift)
    share[1 : 1 + kind.changing, breaks.AT :] -= 0.2
    total = (1 / np.maximum(rho, 1e-9) - 1)[:, None]
    varied = np.where(rho[:, None] > 0, rng.beta(share * total, (1 - share) * total), share)
    return rng.binomial(n, varied).astype(float), n.astype(float), float(rho[0])


def judge(k: Floats, n: Floats) -> tuple[float, bool]:
    """Return the p value of the first entity of a panel, and whether it borrowed from the others."""
    pool = pool_likeness(k[1:], n[1:])
    found = None if pool is None else judge_pooled(k[0], n[0], pool, draws=DRAWS)
    if found is None or not found.is_alike:
        return float(scan_changes(k[:1] / n[:1], n[:1], draws=DRAWS).p_value[0]), False
    return found.p_value, True


def quiet(kind: Kind, p: float, size: int, seed: int, entities: int = ENTITIES) -> dict[str, float]:
    """Return how often a quiet chart ends in a verdict, also for the sixth that varies most, and borrows at all."""
    rng = np.random.default_rng([SEED, seed])
    rows = []
    for _ in range(size):
        k, n, rho = draw_panel(rng, kind, p, entities=entities)
        chance, is_pooled = judge(k, n)
        chart = laney_chart(k[:1], n[:1])
        rules = any(f.any() for f in find_signals(chart.z, chart.value).values())
        rows.append((chance <= breaks.ALPHA, is_pooled, rules, rho))
    found, pooled, rules, rho = np.array(rows, dtype=float).T
    wide = rho >= np.quantile(rho, 5 / 6)
    return {
        "share": found.mean(), "upper": breaks.upper(int(found.sum()), size), "pooled": pooled.mean(),
        "rules": rules.mean(), "wide": found[wide].mean(),
    }  # fmt: skip


def power(kind: Kind, p: float, shift: float, size: int, seed: int) -> dict[str, float]:
    """Return how often a lasting change is found: with the variance known, by the series alone, by the panel."""
    rng = np.random.default_rng([SEED, seed])
    rho = kind.groups[0][1]
    bar = np.quantile(breaks.known_statistic(*breaks.draw_counts(rng, p, rho, 0.0, BAR_DRAWS)), 1 - breaks.ALPHA)
    rows = []
    share = np.where(np.arange(breaks.T) < breaks.AT, p, p + shift)
    for _ in range(size):
        k, n, _ = draw_panel(rng, kind, p, shift)
        own, tests = k[:1], n[:1]
        variance = share * (1 - share) / tests * (1 + (tests - 1) * rho)
        known = breaks.known_statistic(own, tests, variance)[0] > bar
        alone = scan_changes(own / tests, tests, draws=DRAWS).p_value[0] <= breaks.ALPHA
        rows.append((known, alone, judge(k, n)[0] <= breaks.ALPHA))
    known, alone, found = np.array(rows, dtype=bool).T
    return {
        "known": known.mean(), "found": found.mean(), "both": (known & found).sum() / max(known.sum(), 1),
        "alone": (known & alone).sum() / max(known.sum(), 1), "none": 1 - found.mean(),
    }  # fmt: skip


QUIET = tuple((alike(rho), p) for p in (0.9, 0.97) for rho in (0.0, 0.1)) + tuple((kind, 0.9) for kind in UNLIKE)

Calm = tuple[Kind, float, int, dict[str, float]]
Moved = tuple[float, float, float, dict[str, float]]
LEAST = 9
"""The smallest panel that is borrowed from: eight others."""
FEW = ((alike(0.1), 0.9), (UNLIKE[0], 0.9))
MOVED = tuple((p, shift, rho) for p, shift in breaks.MOVED for rho in (0.0, 0.1))


def main(n_quiet: int, n_moved: int) -> None:
    """Run everything and write its half of the page."""
    calm, moved = [], []
    for i, (kind, p) in enumerate(QUIET):
        calm.append((kind, p, ENTITIES, quiet(kind, p, n_quiet, 10 + i)))
        print(calm[-1], round(time.process_time()), flush=True)
    for i, (kind, p) in enumerate(FEW):
        calm.append((kind, p, LEAST, quiet(kind, p, n_quiet, 30 + i, LEAST)))
        print(calm[-1], round(time.process_time()), flush=True)
    for i, (p, shift, rho) in enumerate(MOVED):
        moved.append((p, shift, rho, power(alike(rho), p, shift, n_moved, 50 + i)))
        print(moved[-1], round(time.process_time()), flush=True)
    write(calm, moved, n_quiet, n_moved, time.process_time())


def write(calm: list[Calm], moved: list[Moved], n_quiet: int, n_moved: int, seconds: float) -> None:
    """Write this half of the page and keep the other."""
    versions = ", ".join(f"{m} {importlib.metadata.version(m)}" for m in ("numpy", "scipy"))
    lines = [
        HEAD,
        "",
        f"Made by `tests/truth/study_panel_charts.py` on {datetime.date.today().isoformat()}, seed {SEED}, "
        f"{seconds:.0f} seconds of one core, {versions}; {DRAWS} draws a chart. Panels of {ENTITIES} entities over "
        f"{breaks.T} quarters; the others have rates of 80 to 97 %, and one of them all is charted: `judge_pooled` on "
        "what `pool_likeness` learns from the others, as `estimate_control` does, and the permutation test of the one "
        "series where its quarters vary more than the panel's.",
        "",
        f"Quiet charts, {n_quiet:,} a line: % with a verdict (goal: upper 99 % bound below {breaks.BAR:.0%}), in the "
        "sixth of entities whose correlation is largest, % that borrow from the panel, and % in which any run rule of "
        "a p′ chart of the one series fires (a rule is a lead and no verdict). Correlation of the batches of a "
        "quarter; 4 to 30 batches, in panels of unlike entities about 6, 15, 17 or 40.",
        "",
        "| correlation | rate | entities | verdict % | upper 99 % bound | | widest sixth % | borrow % | rules % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for kind, p, entities, row in calm:
        lines.append(
            f"| {kind.name} | {p} | {entities} | {100 * row['share']:.1f} | {100 * row['upper']:.1f} | "
            f"{'ok' if row['upper'] < breaks.BAR else 'GOAL MISSED'} | {100 * row['wide']:.1f} | "
            f"{100 * row['pooled']:.0f} | {100 * row['rules']:.0f} |"
        )
    lines += [
        "",
        f"A lasting change after {breaks.AT} quarters, {n_moved:,} charts a line: % found by the same test with the "
        "true variance, by the panel, % without an answer; and of those the true variance finds, % found by the panel "
        "(goal: 80) and by the one series alone.",
        "",
        "| rate | change pp | correlation | known % | found % | no answer % | of known, panel % | | alone % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for p, shift, rho, row in moved:
        known, found, none, both, alone = (100 * row[c] for c in ("known", "found", "none", "both", "alone"))
        lines.append(
            f"| {p} | {100 * shift:+.0f} | {rho:g} | {known:.0f} | {found:.0f} | {none:.0f} | {both:.0f} | "
            f"{'ok' if both >= 80 else 'below 80'} | {alone:.0f} |"
        )
    kept = OUT.read_text(encoding="utf-8").split(HEAD)[0].rstrip()
    OUT.write_text("\n".join([kept, "", *lines, ""]).replace("| -", "| −"), encoding="utf-8")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else N_QUIET,
        int(sys.argv[2]) if len(sys.argv) > 2 else N_MOVED,
    )
