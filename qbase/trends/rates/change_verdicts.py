"""What a change comes to: improving, worsening, steady, or nothing to be seen; and when nothing may be said."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal

from qbase.core import periods
from qbase.core.errors import UsageError
from qbase.core.given import check_margin
from qbase.core.lazy import read_once
from qbase.core.nearest_name import suggest_names
from qbase.core.numbers import count, declared_digits, number, percent
from qbase.core.results.result import Result
from qbase.core.results.sentences import direction_of, withheld
from qbase.core.text import Text, join
from qbase.core.values import CheckResult, Estimate, Grade, Margin
from qbase.stats.testing.equivalence import equivalence_interval, equivalence_power

ChangeVerdict = Literal["improving", "worsening", "rising", "falling", "steady", "cannot_tell"]

WORDS: Mapping[ChangeVerdict, Text] = {
    "improving": Text("改善", "improving"),
    "worsening": Text("恶化", "worsening"),
    "rising": Text("上升", "rising"),
    "falling": Text("下降", "falling"),
    "steady": Text("持平", "steady"),
    "cannot_tell": Text("看不出升降", "cannot tell which way"),
}


@read_once
def _rules() -> dict[str, Any]:
    file = resources.files("qbase.trends.rates").joinpath("change_rules.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def read_min_n() -> int:
    """Return how many batches a period must have before a change is given a verdict."""
    return int(_rules()["min_n"])


def list_margins() -> list[str]:
    """Return the ids of the margins that ship with qbase.

    Examples
    --------
    >>> from qbase.trends import list_margins
    >>> list_margins()
    ['one_point', 'two_points']
    """
    return sorted(_rules()["margin"])


def read_margin(margin_id: str) -> Margin:
    """Read a margin of no change, with its day and source.

    Parameters
    ----------
    margin_id : str
        ``two_points``. An evaluation plan's own number is a `qbase.core.Margin`.

    Raises
    ------
    UsageError
        There is none of that id (QB526).

    Examples
    --------
    >>> from qbase.trends import read_margin
    >>> margin = read_margin("two_points")
    >>> margin.value, margin.declared_on
    (2.0, '2026-11-29')
    """
    known = list_margins()
    if margin_id not in known:
        raise UsageError(
            "QB526",
            margin=margin_id,
            found=repr(margin_id),
            expected=" | ".join(known),
            fix=suggest_names(str(margin_id), known) + ", or Margin(value=…, source=…, declared_on=…)",
        )
    row = _rules()["margin"][margin_id]
    return Margin(value=row["value"], source=Text(row["zh"], row["en"]), declared_on=row["declared_on"])


def match_margin(margin_pp: float) -> Margin | float:
    """Return the margin that ships with qbase under this number, with its day and source; else the bare number.

    A number nobody dated is held against the whole interval of a change, not against that of two one-sided tests.

    Parameters
    ----------
    margin_pp : float
        In percentage points.

    Raises
    ------
    UsageError
        It is no finite number above 0 (QB507).

    Examples
    --------
    >>> from qbase.trends import match_margin
    >>> match_margin(2.0).declared_on, match_margin(1.5)
    ('2026-11-29', 1.5)
    """
    value = check_margin(margin_pp)
    found = (read_margin(name) for name in list_margins())
    return next((m for m in found if m.value == value), margin_pp if value is None else value)


def margin_settings(margin: Margin | float | None) -> dict[str, Any]:
    """Return what a result says of a margin in its settings; nothing where none was declared.

    Raises
    ------
    UsageError
        It is no finite number above 0 (QB507).
    """
    if isinstance(margin, Margin):
        return margin.settings()
    value = check_margin(margin)
    return {} if value is None else {"margin": value}


def judge_change(result: Result, term: str | None = None) -> ChangeVerdict:
    """Judge a change or a trend in one word.

    Parameters
    ----------
    result : Result
        Of `estimate_change` or `estimate_trend`.
    term : str or None
        One of its terms; None takes the estimate it speaks of first.

    Returns
    -------
    {"improving", "worsening", "rising", "falling", "steady", "cannot_tell"}
        Improving or worsening where the interval excludes 0 (rising or falling where neither direction is better);
        steady where a margin was declared and the 90 % interval of two one-sided tests lies inside it, before all
        else; else, and where no verdict may be given or there is no estimate, ``cannot_tell``.

    References
    ----------
    Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power approach. Journal of
    Pharmacokinetics and Biopharmaceutics 15, 657-680.

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_change, judge_change
    >>> panel = build_panel(open_workspace(), "D1.batch", freq="A")
    >>> [judge_change(estimate_change(panel, "D1.batch", entity=k, last="2025")) for k in ("K001", "K007")]
    ['cannot_tell', 'cannot_tell']
    """
    if not result.estimates or withheld(result) is not None:
        return "cannot_tell"
    estimate = result.estimates[result.spoken[0]] if term is None else result.find(term)
    direction = direction_of(estimate, result.settings.get("margin"))
    if direction in {"cannot_tell", "little"}:
        return "steady" if direction == "little" else "cannot_tell"
    if result.outcome.better == "none":
        return "rising" if direction == "up" else "falling"
    return "improving" if direction == result.outcome.better else "worsening"


def add_verdicts(result: Result) -> Result:
    """Return a change or a trend with the word it comes to for every term, in its labels and sentences."""
    if not result.estimates or withheld(result) is not None:
        return result
    found = {e.term: judge_change(result, e.term) for e in result.estimates}
    words = {f"verdict[{term}]": WORDS[verdict] for term, verdict in found.items()}
    # that nothing can be told is in the sentence already
    said = {
        f"later[{term}]": Text(f"判断：{WORDS[verdict].zh}。", f"Verdict: {WORDS[verdict].en}.")
        for term, verdict in found.items()
        if verdict != "cannot_tell"
    }
    return dataclasses.replace(result, labels={**result.labels, **words, **said})


def check_enough(tested: Mapping[Any, tuple[int, int]]) -> list[CheckResult]:
    """Return a failed check ``min_n`` where a period has too few batches for a verdict; nothing where all have enough.

    Parameters
    ----------
    tested : mapping
        Period -> (n, k).
    """
    least = read_min_n()
    few = [(periods.label(p), n) for p, (n, _) in tested.items() if n < least]
    if not few:
        return []
    texts = [Text(f"{when.zh}只有 {count(n)} 个样本", f"{when.en} has {count(n)}") for when, n in few]
    said = join(texts, zh="，", en=", ")
    text = Text(
        f"{said.zh}；每期不足 {least} 个样本时不判断升降。", f"{said.en}: below {least} a period there is no verdict."
    )
    return [CheckResult(name="min_n", passed=False, text=text)]


def check_steady_power(
    estimate: Estimate, settings: Mapping[str, Any], *, df: float | None = None
) -> list[CheckResult]:
    """Return how likely “steady” was to be found where nothing changed, for information; nothing without a margin.

    Parameters
    ----------
    estimate : Estimate
        With the 90 % interval of two one-sided tests.
    settings : mapping
        Holds the margin.
    df : float or None
        Degrees of freedom of that interval; None is normal.
    """
    if "margin" not in settings or estimate.tost_low is None or estimate.tost_high is None:
        return []
    low, high = equivalence_interval(0.0, 1.0, df=df)
    error = (estimate.tost_high - estimate.tost_low) / (high - low)
    margin = float(settings["margin"])
    power = equivalence_power(error, margin, df=df) if error > 0 else 1.0
    shown, chance = number(margin, declared_digits(margin, "pp")), percent(100 * power, 0)
    text = Text(
        f"若实际没有变化，以 ±{shown} 为界判为“持平”的把握（功效）约为 {chance}。",
        f"Were there no change at all, the chance (power) to find it steady within ±{shown} is about {chance}.",
    )
    return [CheckResult(name="steady_power", passed=None, text=text)]


def cap_grade(*, is_naive: bool, is_pooled: bool, is_unknown: bool, is_apart: bool) -> Grade | None:
    """Return the highest grade a change may have: moderate where how or whom was drawn may have moved it.

    Parameters
    ----------
    is_naive : bool
        Draws are not weighted.
    is_pooled : bool
        Several entities are summed.
    is_unknown : bool
        How batches were drawn is not on record.
    is_apart : bool
        The pooled change and that of the entities disagree.
    """
    if is_apart:
        return "limited"
    return "moderate" if is_naive or is_pooled or is_unknown else None
