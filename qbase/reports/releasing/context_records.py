"""What a reviewer has to know of every figure and table of a page: about whom, filtered how, n, firms, control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qbase.core.shown.display import sha256_of
from qbase.release import DisclosurePreset
from qbase.release.verifying.page_reading import read_page
from qbase.release.verifying.shown_bundles import read_bundles, read_table

FILTERS = ("entity_kind", "entity", "freq", "sampling", "first", "last", "period", "against", "window")


def build_contexts(
    source: str, record: Mapping[str, Any], rules: DisclosurePreset, before: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Return one record for every table shown, those of figures too.

    Parameters
    ----------
    source : str
        The page.
    record : mapping
        ``results.json`` of its run.
    rules : DisclosurePreset
        Control that was applied.
    before : sequence of mapping
        Records of the last release of the page, for what differs.

    Returns
    -------
    list of dict
        ``name population filter n firms control difference sha256``.
    """
    known = {context["name"]: context["sha256"] for context in before}
    found = []
    for root in read_bundles(read_page(source), "table"):
        table = read_table(root)
        results = _results_of(table["name"], record)
        digest = sha256_of([table["rows"], table["data"]])
        controls = sorted({str(result.get("control", "")) for result in results})
        n = [e["n_obs"] for result in results for e in result["estimates"] if e.get("n_obs")]
        difference = "first" if not known else "new" if table["name"] not in known else "changed"
        found.append(
            {
                "name": table["name"],
                "population": " / ".join(dict.fromkeys(result["subject"]["en"] for result in results)),
                "filter": _filter(results),
                "n": f"{min(n)}–{max(n)}" if n else "",
                "firms": f"at least {rules.fewest_firms} behind every shown count",
                "control": " ".join(controls).strip(),
                "difference": "unchanged" if known.get(table["name"]) == digest else difference,
                "sha256": digest,
            }
        )
    return found


def _results_of(name: str, record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the results a table is of: those it tells, else those of its indicator, else all."""
    told = set(record.get("told", {}).get(name, ()))
    seen = [result for result in record["results"] if result["estimand"] != "need"]
    results = [result for result in seen if result["name"] in told]
    return results or [result for result in seen if result["outcome"] in name.split(":")] or seen


def _filter(results: Sequence[Mapping[str, Any]]) -> str:
    settings = [result["settings"] for result in results]
    kept = {key: sorted({str(s[key]) for s in settings if s.get(key) is not None}) for key in FILTERS}
    return "; ".join(f"{key} {', '.join(values)}" for key, values in kept.items() if values)
