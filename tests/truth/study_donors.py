"""How often ranks among placebos are as extreme as they say, without an effect: the table of docs/studies/donors.md.

Two common factors, levels and noise; nobody is treated. Run it with `python tests/truth/study_donors.py`.
"""

from __future__ import annotations

import types

import numpy as np

from qbase.effects.donors.donor_placebos import rank_among
from qbase.effects.donors.donor_weights import WeightSpec, fit_donors

SEED = 1
SHAPES = ((10, 14, 9), (19, 14, 9), (38, 19, 12))
DRAWS = {"sdid": 1000, "sc": 1000, "augmented": 200}


def draw_pool(rng: np.random.Generator, n: int, before: int, after: int) -> types.SimpleNamespace:
    """Return what a pool of donors holds: n donors and, last, an entity like them."""
    load, level = rng.uniform(size=(n + 1, 2)), rng.normal(0, 3, size=(n + 1, 1))
    factors, noise = rng.normal(size=(2, before + after)).cumsum(axis=1), rng.normal(size=(n + 1, before + after))
    paths = level + load @ factors + 2 * noise
    return types.SimpleNamespace(
        paths=paths, match=paths[:, :before], n_before=before, columns=range(before + after), treated=("K",),
        predictors=np.zeros((n + 1, 0)),
    )  # fmt: skip


def run_draws(method: str, n: int, before: int, after: int, draws: int) -> dict[str, float]:
    """Return how often p reaches some levels, by effect and by ratio, and the spread of effects and of placebos."""
    rng = np.random.default_rng(SEED)
    targets, allowed = np.eye(n + 1)[[n, *range(n)]], np.vstack([np.ones(n), 1 - np.eye(n)]).astype(bool)
    spec = WeightSpec(method=method, solver="exact", ridge=None, starts=1, seed=SEED)  # type: ignore[arg-type]
    fits = [fit_donors(draw_pool(rng, n, before, after), targets, allowed, spec) for _ in range(draws)]  # type: ignore[arg-type]
    by_effect = np.array([rank_among(f.effects[0], f.effects[1:])[1] for f in fits])
    by_ratio = np.array([rank_among(f.ratios[0], f.ratios[1:])[1] for f in fits])
    found = {f"effect <= {level}": float((by_effect <= level + 1e-9).mean()) for level in (0.05, 0.1, 0.2)}
    found |= {f"ratio <= {level}": float((by_ratio <= level + 1e-9).mean()) for level in (0.05, 0.1, 0.2)}
    spread = np.sqrt(np.mean([f.effects[1:].var() for f in fits]))
    return found | {"sd": float(np.std([f.effects[0] for f in fits])), "placebo sd": float(spread)}


if __name__ == "__main__":
    for shape in SHAPES:
        for name, n_draws in DRAWS.items():
            told = run_draws(name, *shape, n_draws)
            print(*shape, name, n_draws, *(f"{key} {value:.3f}" for key, value in told.items()), sep=" | ", flush=True)
