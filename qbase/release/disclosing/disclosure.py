"""Disclosure control before anything is shown.

A panel of the batch pass rate is protected by its pattern first (`qbase.release.protect_panel`), and what is computed
from it needs no more: it tells nothing that the panel does not. Anything else is judged by the rules of its class of
statistic, and what a rule needs and nobody knows stops the report: blanking small cells alone gives 28 % of them back
by subtraction.
"""

from __future__ import annotations

from typing import Any

from qbase.core.coverage import PATTERN
from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result, Scorecard
from qbase.core.shown.display import Bundle
from qbase.release.disclosing.disclosure_presets import DisclosurePreset, read_disclosure_preset
from qbase.release.disclosing.office_preset import DEFAULT
from qbase.release.disclosing.primary_rules import CLASSES, RULES
from qbase.release.disclosing.shown_statistics import find_unprotected, list_statistics

PROFILES = ("internal", "external", "statutory_public")


def protect(*values: Any, profile: str, preset: str = DEFAULT) -> Any:
    """Let values pass that a reader of this profile may see; stop the report otherwise.

    Parameters
    ----------
    *values : Panel, Result, Scorecard, Policy, Table, Figure
        Everything a letter is about to show.
    profile : {"internal", "external", "statutory_public"}
        Of the report's spec.
    preset : str
        As for `read_disclosure_preset`: rules for what no pattern vouches for.

    Returns
    -------
    object or tuple
        The same values, unchanged: one value for one, a tuple for several.

    Raises
    ------
    UsageError
        The profile is unknown (QB752).
    DataError
        Outside the house: a fact that a rule needs is unknown, or a result holds what was counted outside its
        protected panel (QB750); a value breaks a rule of its class of statistic (QB751).

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.release import protect
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2025Q4", last="2025Q4")
    >>> protect(panel, profile="internal") is panel
    True
    >>> protect(panel, profile="external")
    Traceback (most recent call last):
        ...
    qbase.core.errors.DataError: error[QB750] not for release as external: nobody knows what the rules need of Panel
      found     D1.batch (rate): no top1, top2
      expected  facts for firms, counted, dominance, p_percent, whole, or a panel that a pattern vouches for
      to fix    withhold the counts, then compute anew from what is left: protect_panel(…); or profile internal
    """
    if profile not in PROFILES:
        raise UsageError(
            "QB752", profile=profile, found=repr(profile), expected=" | ".join(PROFILES), fix='profile = "internal"'
        )
    if profile != "internal":
        rules = read_disclosure_preset(preset)
        for value in values:
            _check(value, profile, rules)
    return values[0] if len(values) == 1 else values


def _check(value: Any, profile: str, rules: DisclosurePreset) -> None:
    if isinstance(value, Policy) or (isinstance(value, Panel) and value.withheld is not None):
        return
    sources = value.sources if isinstance(value, Result | Scorecard) else ()
    editions = [s.path.removeprefix(PATTERN) for s in sources if s.path.startswith(PATTERN)]
    if editions:
        if (found := find_unprotected(value, editions)) is not None:
            raise _unknown(value, profile, found, "what is computed from the protected panel alone", "count")
        return
    judged = list(list_statistics(value))
    if not judged:
        raise _unknown(value, profile, "nothing that says how many firms stand behind it", "counts of firms", "mean")
    for statistic in judged:
        told = f"{statistic.name} ({statistic.kind})"
        if (missing := statistic.missing()) or not len(statistic.facts):
            asked = f"facts for {', '.join(CLASSES[statistic.kind].checks)}, or a panel that a pattern vouches for"
            raise _unknown(value, profile, f"{told}: no {', '.join(missing) or 'rows'}", asked, statistic.kind)
        if broken := statistic.broken(rules):
            words = [f"{n} of {len(statistic.facts)} {RULES[rule].en}" for rule, n in broken.items()]
            raise DataError(
                "QB751",
                name=_name(value),
                profile=profile,
                found=f"{told}: {'; '.join(words)}",
                expected=f"no value that breaks a rule of preset {rules.preset_id}",
                fix=f"{CLASSES[statistic.kind].mitigation.en}, or run it with profile internal",
            )


def _unknown(value: Any, profile: str, found: str, expected: str, kind: str) -> DataError:
    fix = f"{CLASSES[kind].mitigation.en}: protect_panel(…); or profile internal"
    return DataError("QB750", name=_name(value), profile=profile, found=found, expected=expected, fix=fix)


def _name(value: Any) -> str:
    if isinstance(value, Result | Scorecard | Bundle):
        return value.name
    return type(value).__name__
