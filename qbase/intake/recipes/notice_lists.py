"""Lists of batches in public notices: how they are told from inspections, and what they can and cannot answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qbase.tables import match_headers, read_contract

RECIPE = "inspections_notice"
TABLE = "notice_batches"

_PRINTED = {"production_date", "publish_date", "failed_text"}


def is_notice(headers: Sequence[str]) -> bool:
    """Say whether headers are those of a notice: products and what a notice prints, but no day of sampling.

    Parameters
    ----------
    headers : sequence of str
        As they stand.

    Returns
    -------
    bool
    """
    found = set(match_headers(headers, read_contract(TABLE)).mapping.values())
    drawn = set(match_headers(headers, read_contract("inspections")).mapping.values())
    is_numbered = "record_no" not in found or "notice_no" in found
    is_list = "product_name" in found and bool({"firm_name", "sampled_name"} & found) and bool(_PRINTED & found)
    return is_list and is_numbered and "sample_date" not in drawn


def result_of_title(title: str) -> str | None:
    """Return the result every row of a list has by its title; None where the title names none, or both."""
    has_fail = "不合格" in title
    has_pass = "合格" in title.replace("不合格", "")
    return None if has_fail == has_pass else "fail" if has_fail else "pass"


def judge_list(results: Iterable[str | None]) -> list[str]:
    """Return the warning that says what a list can answer: whom it names, and whether a rate can be made of it."""
    known = frozenset(result for result in results if result and result != "unknown")
    told = {
        frozenset({"fail"}): "failures_only",
        frozenset({"pass"}): "passes_only",
        frozenset({"fail", "pass"}): "no_day_of_sampling",
    }
    return [told.get(known, "no_result")]
