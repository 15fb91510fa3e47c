"""The conclusion of a letter: lead sentence, findings with grades, failed checks, limits. Nothing typed by hand."""

from __future__ import annotations

import dataclasses
import html
from typing import Any

from qbase.core.errors import DataError
from qbase.core.markup import shown_language
from qbase.core.results.result import Result, Scorecard, distinct_checks
from qbase.core.shown.display import Bundle
from qbase.core.text import Text, join
from qbase.core.values import CheckResult, Grade


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Conclusion(Bundle):
    """What the page shows first and what it must not hide.

    Parameters
    ----------
    lead : Text
        The answer in one sentence.
    findings : tuple of (Text, grade or None)
        Ranked as given, at most six.
    failed_checks : tuple of CheckResult
        Every check that did not pass, said once.
    limits : tuple of Text
        Notes of the results, each once.

    Examples
    --------
    >>> from qbase.core import Conclusion, Text
    >>> lead = Text("合格率变化尚无法判断。", "Whether the pass rate changed: cannot tell.")
    >>> limit = Text("抽样未加权。", "Draws are not weighted.")
    >>> Conclusion(name="conclusion", lead=lead, findings=((lead, "limited"),), limits=(limit,))
    合格率变化尚无法判断。
    Whether the pass rate changed: cannot tell.
    - 合格率变化尚无法判断。
      Whether the pass rate changed: cannot tell.
    * 抽样未加权。
      Draws are not weighted.
    """

    lead: Text
    findings: tuple[tuple[Text, Grade | None], ...]
    failed_checks: tuple[CheckResult, ...] = ()
    limits: tuple[Text, ...] = ()

    def body(self) -> dict[str, Any]:
        return {
            "lead": self.lead.payload(),
            "findings": [{**text.payload(), "grade": grade} for text, grade in self.findings],
            "failed_checks": [{"name": c.name, **c.text.payload()} for c in self.failed_checks],
            "limits": [t.payload() for t in self.limits],
        }

    def plain(self) -> str:
        lines = [self.lead.zh, self.lead.en]
        lines += [f"- {t.zh}\n  {t.en}" for t, _ in self.findings]
        lines += [f"! {c.text.zh}\n  {c.text.en}" for c in self.failed_checks]
        return "\n".join(lines + [f"* {t.zh}\n  {t.en}" for t in self.limits])

    def lab(self) -> dict[str, str]:
        lang = shown_language()
        items = [f"<p><b>{html.escape(self.lead[lang])}</b></p>", "<ol>"]
        items += [f"<li>{html.escape(t[lang])}</li>" for t, _ in self.findings]
        items += ["</ol>", *(f"<p>{html.escape(c.text[lang])}</p>" for c in self.failed_checks)]
        return {"text/html": "".join(items + [f"<p>{html.escape(t[lang])}</p>" for t in self.limits])}


def conclude(*values: Result | Scorecard) -> Conclusion:
    """Conclude from results: the first sentence of the first value leads, all sentences are findings.

    What the data cannot answer is said after what they can. How many of the records on record it stands on is always
    said: in the first line where too many are lost, else among the limits.

    Parameters
    ----------
    *values : Result or Scorecard
        In order of importance; at most six sentences read well.

    Returns
    -------
    Conclusion

    Raises
    ------
    DataError
        No value was given (QB142), or one from records of the lake does not say how many of them count (QB147).

    Examples
    --------
    >>> from qbase.core import conclude
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_level
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> conclusion = conclude(estimate_level(panel, "D1.batch", entity="K003", period="2024Q4"))
    >>> print(conclusion.lead.en)
    The batch pass rate of the Wangdai polyester fibre cluster in 2024 Q4 is estimated at 80.0% (95% CI
        58.4–91.9; n = 20 batches).
    >>> [check.name for check in conclusion.failed_checks]
    ['small_n']
    """
    if not values:
        raise DataError(
            "QB142", found="no values", expected="conclude(result, …)", fix="name the results of this letter"
        )
    findings: list[tuple[Text, Grade | None]] = []
    for value in sorted(values, key=_is_silent):
        prose = value.say()
        grades = prose.grades or (None,) * len(prose.items)
        heard = {text.en for text, _ in findings}
        findings += [(t, g) for t, g in zip(prose.items, grades, strict=True) if t.en not in heard]
    results = [v for v in values if isinstance(v, Result)]
    failed = [c for c in distinct_checks(*results) if c.passed is False]
    accounts = [v.account for v in values if v.account is not None and not _is_lossy(v)]
    limits = {n.en: n for n in (*accounts, *(note for r in results for note in r.notes))}
    warned = {t.en: t for t in (v.coverage.say_lost() for v in values if v.coverage is not None and _is_lossy(v))}
    return Conclusion(
        name="conclusion",
        lead=join([*warned.values(), findings[0][0]], zh="", en=" "),
        findings=tuple(findings[:6]),
        failed_checks=tuple(failed),
        limits=tuple(limits.values()),
    )


def _is_silent(value: Result | Scorecard) -> bool:
    return not (value.estimates if isinstance(value, Result) else value.criteria)


def _is_lossy(value: Result | Scorecard) -> bool:
    return value.coverage is not None and value.coverage.is_lossy
