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
def load_pyfixest() -> tuple[Any, Any, Any]:
    """Return ``feols``, ``ssc`` and ``MapDemeaner`` of pyfixest, leaving the process as it was."""
    with _restored_process():
        from pyfixest.demeaners import MapDemeaner
        from pyfixest.estimation import feols
        from pyfixest.utils.utils import ssc
    return feols, ssc, MapDemeaner


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
    feols, ssc, demeaner = load_pyfixest()
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
            demeaner=demeaner(fixef_tol=DEMEAN_TOLERANCE),
            **options,
        )
