"""pyfixest behind a guard: what it does to the process on import is undone, its warnings become figures."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

DEMEAN_TOLERANCE = 1e-10
"""The library's own 1e-6 leaves the 7th digit of an unbalanced panel to chance; this costs nothing at our sizes."""

LSMR_TOLERANCE = 1e-12
"""Of a residual, not of a step: this gives the same ten digits as the tolerance above."""

SPARSE = 100
"""Rows per level, with three or more effects. Of 100,000 rows, at 65 in a narrow network alternating projections take
26 s against 0.7 s, at 7 they end without converging; in a wide network the other way costs less than a second more."""

_VARIABLE = "KMP_INIT_AT_FORK"


@contextlib.contextmanager
def _restored_process() -> Iterator[None]:
    """Put back root logging and environment: the import adds a root handler, level INFO and a variable."""
    root = logging.getLogger()
    handlers, level, variable = list(root.handlers), root.level, os.environ.get(_VARIABLE)
    try:
        yield
    finally:
        for handler in [h for h in root.handlers if h not in handlers]:
            root.removeHandler(handler)
        root.setLevel(level)
        if variable is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = variable


@functools.cache
def load_pyfixest() -> tuple[Any, Any, Any, Any]:
    """Return ``feols``, ``ssc``, ``MapDemeaner`` and ``LsmrDemeaner`` of pyfixest, leaving the process as it was."""
    with _restored_process():
        from pyfixest.demeaners import LsmrDemeaner, MapDemeaner
        from pyfixest.estimation import feols
        from pyfixest.utils.utils import ssc
    return feols, ssc, MapDemeaner, LsmrDemeaner


def choose_demeaner(formula: str, data: pd.DataFrame) -> Any:
    """Return how the fixed effects are taken out: alternating projections, or sparse least squares.

    Alternating projections are quickest for two effects and for dense data. A sparse network of three effects, such as
    firms, testers and quarters with few rows each, costs them thousands of rounds or never ends.

    Parameters
    ----------
    formula : str
        As pyfixest takes it; effects follow ``|``.
    data : pandas.DataFrame
        Holds the columns of the effects.
    """
    _, _, alternating, sparse = load_pyfixest()
    effects = [e.strip() for e in formula.partition("|")[2].split("+")]
    if len(effects) >= 3 and len(data) < SPARSE * sum(data[e].nunique() for e in effects):
        return sparse(fixef_atol=LSMR_TOLERANCE, fixef_btol=LSMR_TOLERANCE)
    return alternating(fixef_tol=DEMEAN_TOLERANCE)


def run_feols(formula: str, data: pd.DataFrame, *, vcov: Any, weights: str | None, plain: bool) -> Any:
    """Run `pyfixest.feols` with a tight demeaning tolerance.

    Parameters
    ----------
    formula : str
        ``y ~ x0 + x1 | entity + period``.
    data : pandas.DataFrame
        Not mutated.
    vcov : str or dict
        As pyfixest takes it.
    weights : str or None
        Column of analytic weights.
    plain : bool
        Switch off every small-sample factor.

    Returns
    -------
    pyfixest.estimation.models.feols_.Feols
    """
    feols, ssc, _, _ = load_pyfixest()
    options = {"ssc": ssc(k_adj=False, G_adj=False)} if plain else {}
    # an outcome without variation makes the library divide by zero; the caller refuses it, with words
    with _restored_process(), warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        # collinear columns are read off the model and reported in words by the caller
        warnings.filterwarnings("ignore", message=r"\s*\d+ variables dropped due to multi", category=UserWarning)
        # pyfixest 0.60 uses an argument that pandas 3.1 deprecates; pinned below 0.61
        warnings.filterwarnings("ignore", message="The inplace keyword", category=DeprecationWarning)
        return feols(
            formula,
            data=data,
            vcov=vcov,
            weights=weights,
            # lone rows are dropped by the caller: when nothing else is left, version 0.60 panics in Rust
            fixef_rm="none",
            demeaner=choose_demeaner(formula, data),
            **options,
        )
