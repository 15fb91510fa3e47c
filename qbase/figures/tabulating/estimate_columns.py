"""Columns of a table of estimates that say who stands behind a number."""

from __future__ import annotations

from collections.abc import Sequence

from qbase.core.numbers import count, p_value
from qbase.core.results.result import Result
from qbase.core.text import Text, same
from qbase.core.values import Estimate

NONE = "–"


def n_label(results: Sequence[Result]) -> Text:
    """Return what n counts, where all results count the same and say it."""
    units = {r.labels["n"] for r in results if "n" in r.labels}
    if len(units) != 1 or any("n" not in r.labels for r in results):
        return same("n")
    unit = units.pop()
    return Text(f"n（{unit.zh.removeprefix('个')}）", f"n ({unit.en})")


def groups_label(pairs: Sequence[tuple[Result, Estimate | None]]) -> Text:
    """Return the head of the column of clusters, and of the treated where they are told."""
    if any(e is not None and e.n_treated is not None for _, e in pairs):
        return Text("采用者 / 聚类数", "Treated / clusters")
    return Text("聚类数", "Clusters")


def groups_of_estimate(e: Estimate) -> str:
    """Return the treated and the clusters behind an estimate."""
    clusters = NONE if e.n_clusters is None else count(e.n_clusters)
    return clusters if e.n_treated is None else f"{count(e.n_treated)} / {clusters}"


def p_of_estimate(e: Estimate) -> str:
    """Return a p value, with the smallest that placebos could have given."""
    if e.p_value is None:
        return NONE
    return p_value(e.p_value) if e.p_floor is None else f"{p_value(e.p_value)} (≥ {p_value(e.p_floor).lstrip('<> ')})"
