"""Histories that change places, each freed of the size of its noise and given that of its new place."""

from __future__ import annotations

import numpy as np

from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.doubt.history_noise import Noise, contrast_basis


def exchange_histories(residuals: Floats, places: np.ndarray, noise: Noise, missing: Floats | None = None) -> Floats:
    """Return outcomes in which each entity carries another's residual history at its own size of noise.

    Parameters
    ----------
    residuals : numpy.ndarray, shape (N, T)
        From `two_way_residuals`.
    places : numpy.ndarray of int, shape (A, N)
        Whose history each entity takes on.
    noise : Noise
        Of the same entities.
    missing : numpy.ndarray, shape (A, T − 1), or None
        Noise that period means took out and that is put back, see `missing_noise`; None for a treatment, without noise.

    Returns
    -------
    numpy.ndarray, shape (A, N, T)
    """
    if noise.root is None or noise.cautious is None:
        return np.asarray(residuals[places], dtype=float)
    basis = contrast_basis(residuals.shape[1])
    # one product of matrices an entity: (N, A, T − 1) @ (N, T − 1, T)
    taken = standard_histories(residuals, noise.root, noise.shared)[places.T]
    if missing is not None:
        taken = taken + missing
    return np.asarray(np.swapaxes(taken @ (np.swapaxes(noise.cautious, 1, 2) @ basis.T), 0, 1), dtype=float)


def standard_histories(residuals: Floats, root: Floats, shared: Floats | None) -> Floats:
    """Return histories freed of the size of their own noise, shape (..., N, T − 1), so that any may take any place.

    Precise entities weigh more in the period means and lose more of their noise to them than others. Turned by the
    smallest rotation that spreads the loss evenly, histories are exchangeable again.

    Parameters
    ----------
    residuals : numpy.ndarray, shape (..., N, T)
        From `two_way_residuals`.
    root, shared
        See `Noise`.
    """
    apart = residuals @ contrast_basis(residuals.shape[-1])
    flat = np.moveaxis(apart.reshape(-1, *apart.shape[-2:]), 0, 2)
    standard = np.moveaxis(np.linalg.solve(root, flat), 2, 0).reshape(apart.shape)
    if shared is None:
        return np.asarray(standard, dtype=float)
    even = 1 / np.sqrt(len(root))
    tilt = (shared + even) / (1 + even * shared.sum())
    common = even * standard.sum(axis=-2, keepdims=True)
    return np.asarray(standard - tilt[:, None] * common, dtype=float)


def missing_noise(noise: Noise, draws: int, seed: int) -> Floats | None:
    """Draw the noise all standard histories lost alike, (A, T − 1): entities of unequal noise do not cancel it.

    Without it the placebos of eight noisy treated and four precise controls vary by a seventh too little.
    """
    if noise.root is None or noise.shared is None:
        return None
    drawn = np.random.default_rng(seed).standard_normal((draws, noise.root.shape[1]))
    return np.asarray(drawn / np.sqrt(len(noise.root)), dtype=float)
