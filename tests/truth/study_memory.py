"""Whether charts with a memory find more than the test of a lasting change, and what no test can find.

Results in docs/studies/memory_charts.md. Run it from the root of the project: ``python tests/truth/study_memory.py``.
Some four minutes on one core.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np

from qbase.stats import JudgedTogether, judge_together
from qbase.stats.control.change_scan import LEAST_POINTS, step_gains


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
OUT = Path("docs/studies/memory_charts.md")
N_DRAWS = 400
PERMUTATIONS = 499
KINDS = ("ewma", "cusum")
LATE = (36, 38)
"""First quarters of a change that has lasted four quarters, or two, when the chart is read."""
Floats = np.ndarray


def judge(k: Floats, n: Floats) -> dict[str, list[JudgedTogether]]:
    """Return every chart judged with each kind of memory."""
    pairs = list(zip(k / n, n, strict=True))
    return {kind: [judge_together(v, w, kind=kind, draws=PERMUTATIONS) for v, w in pairs] for kind in KINDS}


def shares(found: dict[str, list[JudgedTogether]]) -> dict[str, Floats]:
    """Return what the test alone, each path alone and both together call changed."""
    out = {"scan": np.array([f.scan_p for f in found["ewma"]]) <= breaks.ALPHA}
    for kind, own in found.items():
        out[kind] = np.array([f.memory_p for f in own]) <= breaks.ALPHA
        out[f"{kind} together"] = np.array([f.p_value for f in own]) <= breaks.ALPHA
    return out


def quiet(p: float, rho: float, size: int, seed: int) -> dict[str, tuple[float, float]]:
    """Return false alarms with their upper 99 % bounds."""
    k, n, _ = breaks.draw_counts(np.random.default_rng(seed), p, rho, 0.0, size)
    return {name: (float(hit.mean()), breaks.upper(int(hit.sum()), size)) for name, hit in shares(judge(k, n)).items()}


def known_date(k: Floats, n: Floats) -> Floats:
    """Return the statistic in units of the variance about the true step: the best any test can know of the scale."""
    left = np.zeros(len(k))
    for side in (slice(0, breaks.AT), slice(breaks.AT, breaks.T)):
        own, size = k[:, side], n[:, side]
        mean = own.sum(axis=1, keepdims=True) / size.sum(axis=1, keepdims=True)
        left += (size * (own / size - mean) ** 2).sum(axis=1)
    value = k / n
    mean = k.sum(axis=1, keepdims=True) / n.sum(axis=1, keepdims=True)
    return step_gains(n * (value - mean), n, LEAST_POINTS).max(axis=1) / left


def lasting(p: float, rho: float, shift: float, size: int, seed: int) -> dict[str, float]:
    """Return, of the charts in which the known variance finds a change, the share in which each way finds it."""
    rng = np.random.default_rng(seed)
    still = breaks.draw_counts(rng, p, rho, 0.0, 4000)
    bar = np.quantile(breaks.known_statistic(*still), 1 - breaks.ALPHA)
    best_bar = np.quantile(known_date(*still[:2]), 1 - breaks.ALPHA)
    k, n, variance = breaks.draw_counts(rng, p, rho, shift, 4000)
    known = breaks.known_statistic(k, n, variance) > bar
    out = {"known": float(known.mean()), "best": float((known & (known_date(k, n) > best_bar)).sum() / known.sum())}
    out |= {
        name: float(hit[known[:size]].mean()) for name, hit in shares(judge(k[:size], n[:size])).items()
    }  # fmt: skip
    return out


def late(p: float, shift: float, first: int, size: int, seed: int) -> dict[str, float]:
    """Return how often a change since quarter ``first`` is found by each way."""
    rng = np.random.default_rng(seed)
    n = rng.integers(4, 31, (size, breaks.T)).astype(float)
    k = rng.binomial(n.astype(int), np.where(np.arange(breaks.T) < first, p, p + shift)).astype(float)
    return {name: float(hit.mean()) for name, hit in shares(judge(k, n)).items()}


def main(n_draws: int) -> None:
    """Run everything and write the page."""
    start = time.monotonic()
    names = ("scan", "ewma", "ewma together", "cusum", "cusum together")
    heads = "test alone | EWMA alone | EWMA and test | CUSUM alone | CUSUM and test"
    lines = [
        "## False alarms",
        "",
        f"{2000:,} charts of {breaks.T} quarters with 4 to 30 batches, no change: % with a verdict (upper 99 % bound; "
        "goal below 7).",
        "",
        f"| rate | correlation | {heads} |",
        "|---|---|---|---|---|---|---|",
    ]
    for i, (p, rho) in enumerate(((0.9, 0.0), (0.97, 0.1))):
        row = quiet(p, rho, 5 * n_draws, 60 + i)
        shown = " | ".join(f"{100 * row[m][0]:.1f} ({100 * row[m][1]:.1f})" for m in names)
        lines.append(f"| {p} | {rho} | {shown} |")
        print(lines[-1], round(time.monotonic() - start), flush=True)
    lines[2] = lines[2].replace("2,000", f"{5 * n_draws:,}")
    lines += [
        "",
        "## A change that lasted twenty quarters",
        "",
        f"{n_draws} charts a line. Known: % in which the test with the true variance finds it. Then, of those, % found "
        "by each way (goal: 80). Best: by a test that is told the true date, and learns the variance from what is left "
        "(4,000 charts): no test that learns the variance from the spread of one series can be expected to do better, "
        "so a cell below 80 there has no answer at this n.",
        "",
        f"| rate | change pp | correlation | known | {heads} | best | |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for i, (p, shift) in enumerate(breaks.MOVED):
        for rho in (0.0, 0.1):
            row = lasting(p, rho, shift, n_draws, 70 + i)
            shown = " | ".join(f"{100 * row[m]:.0f}" for m in names)
            verdict = "ok" if row["scan"] >= 0.8 else "no answer" if row["best"] < 0.8 else "below 80"
            lines.append(
                f"| {p} | {100 * shift:+.0f} | {rho} | {100 * row['known']:.0f} | {shown} | {100 * row['best']:.0f} | "
                f"{verdict} |"
            )
            print(lines[-1], round(time.monotonic() - start), flush=True)
    lines += [
        "",
        "## A change of the last quarters",
        "",
        f"{n_draws} charts a line, rate 95 % until then: % found. The test looks at changes that lasted three quarters "
        "or more.",
        "",
        f"| change pp | quarters | {heads} |",
        "|---|---|---|---|---|---|---|",
    ]
    for i, (shift, first) in enumerate([(s, f) for s in (-0.15, -0.3) for f in LATE]):
        row = late(0.95, shift, first, n_draws, 80 + i)
        lines.append(
            f"| {100 * shift:+.0f} | {breaks.T - first} | " + " | ".join(f"{100 * row[m]:.0f}" for m in names) + " |"
        )
        print(lines[-1], round(time.monotonic() - start), flush=True)
    versions = ", ".join(f"{m} {importlib.metadata.version(m)}" for m in ("numpy", "scipy"))
    head = [
        "# Charts with a memory beside the test of a lasting change",
        "",
        f"Made by `tests/truth/study_memory.py` on {datetime.date.today().isoformat()}, "
        f"{time.monotonic() - start:.0f} seconds, {versions}; {PERMUTATIONS} permutations a chart.",
        "",
    ]
    OUT.write_text("\n".join([*head, *lines, ""]).replace("| -", "| −"), encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else N_DRAWS)
