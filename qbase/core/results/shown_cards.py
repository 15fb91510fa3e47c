"""A result or a scorecard as it is looked at: estimates, sentence, checks; and as a model to other packages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pandas as pd

from qbase.core import periods
from qbase.core.markup import MARKS, MOST_ROWS, NONE, build_card, say_left, shown_language
from qbase.core.numbers import count, interval, level_text, number
from qbase.core.results.sayable import SayableResult, SayableScorecard
from qbase.core.results.sentences import (
    VERDICTS,
    criterion_digits,
    digits_of,
    label_of,
    quantity,
    say_result,
    say_scorecard,
    target_text,
)
from qbase.core.text import Text, join, same
from qbase.core.values import CheckResult, Estimate

TIDY = {"value": "estimate", "ci_low": "conf_low", "ci_high": "conf_high", "ci_level": "level", "n_obs": "n"}
"""Names of the fields of an estimate in a tidy frame; the others keep theirs."""
TERMS: Mapping[str, Text] = {
    "rate": Text("水平", "level"),
    "change": Text("变化", "change"),
    "slope": Text("趋势", "trend"),
    "att": Text("平均效果", "average effect"),
    "event": Text("各期效果", "effect by event time"),
}
ESTIMANDS: Mapping[str, Text] = {
    "level": Text("水平", "level"),
    "change": Text("变化", "change"),
    "trend": Text("趋势", "trend"),
    "effect": Text("政策效果", "effect of the policy"),
    "need": Text("所需批数", "what is needed"),
    "gap": Text("与同类之差", "gap to its peers"),
}
FULL_COUNT = Text("全数统计", "full count")
TOO_FEW = Text("过少，不给区间", "too few for an interval")
MOST_SAID = 3
"""A scorecard of more criteria is read in its table alone."""

WIDE = str.maketrans({c: chr(ord(c) + 0xFEE0) for c in '\\{}[]&%$#_~^<>*@`"|/'})
"""maketables escapes nothing and sets the same cells in LaTeX, Typst, HTML and Word: a character that is a command in
one of them is replaced by its full-width form, which is text in all."""
COLUMNS = ["b", "se", "p", "p_value", "ci95l", "ci95u"]
LEVEL = 0.95


def build_tidy(result: SayableResult) -> pd.DataFrame:
    """Return one row per estimate: term, parts of the key, the name of its entity, estimate, interval, n, unit."""
    rows = []
    for e in result.estimates:
        plain = e.payload()
        key, term = plain.pop("key"), plain.pop("term")
        named = result.labels.get(f"entity[{key.get('entity')}]")
        name = {} if named is None else {"name": named[shown_language()]}
        rows.append({"term": term, **key, **name, **{TIDY.get(f, f): v for f, v in plain.items()}, "unit": result.unit})
    return pd.DataFrame(rows)


def name_estimate(result: SayableResult, e: Estimate) -> Text:
    """Return what an estimate is about in a few words: its entity by name, its period, its term."""
    entity = e.key.get("entity")
    named = result.labels.get(f"entity[{entity}]")
    several = len({other.key.get("entity") for other in result.estimates}) > 1
    # the caption names the one entity all are about
    parts = [named or same(str(entity))] if entity is not None and (several or named is not None) else []
    between = {"first", "period"} <= e.key.keys()
    if between:
        first, last = (_key_text(e.key[k]) for k in ("first", "period"))
        parts.append(Text(f"{last.zh} 比 {first.zh}", f"{last.en} vs {first.en}"))
    elif "period" in e.key:
        parts.append(_key_text(e.key["period"]))
    label = label_of(result, e)
    if between and e.term == "change":
        return join(parts, zh="，", en=", ")
    if label.zh:
        parts.append(Text(re.split("[，：]", label.zh)[0].strip(), re.split("[,:]", label.en)[0].strip()))
    else:
        if "event_time" in e.key:
            signed = number(float(e.key["event_time"]), 0, sign=True)
            parts.append(Text(f"事件时间 {signed}", f"event time {signed}"))
        told = {"entity", "first", "period", "event_time"}
        parts += [same(f"{k} = {v}") for k, v in e.key.items() if k not in told]
    if not parts:
        parts.append(TERMS.get(e.term, result.outcome.label))
    return join(parts, zh="，", en=", ")


def _key_text(value: Any) -> Text:
    period = periods.read_period(value)
    return same(str(value)) if period is None else periods.label(period)


def build_estimate_rows(result: SayableResult) -> tuple[list[Text], list[list[str | Text]], int]:
    """Return head and rows of the estimates as they are written, and how many are left out.

    Those the result speaks of are among the rows, and the latest of the others.
    """
    shown, places = set(result.spoken), range(len(result.estimates))
    room = max(MOST_ROWS - len(shown), 0)
    shown |= set(sorted(set(places) - shown, reverse=True)[:room])
    levels = {level_text(e.ci_level) for e in result.estimates}
    single = same(f"{next(iter(levels))} CI") if len(levels) == 1 else Text("区间", "Interval")
    head = [Text("项目", "Item"), Text("估计值", "Estimate"), Text("标准误", "Std. error"), single, same("n")]
    rows: list[list[str | Text]] = []
    for e in (result.estimates[i] for i in sorted(shown)[:MOST_ROWS]):
        digits = digits_of(result, e)
        error = NONE if e.std_error is None else number(e.std_error, digits)
        value = quantity(e.value, result.unit, digits, sign=result.estimand not in {"level", "need"})
        n = NONE if e.n_obs is None else count(e.n_obs)
        rows.append([name_estimate(result, e), value, error, _interval(e, digits, with_level=len(levels) > 1), n])
    kept = [i for i in range(len(head)) if any(row[i] != NONE for row in rows)]
    return [head[i] for i in kept], [[row[i] for i in kept] for row in rows], len(result.estimates) - len(rows)


def _interval(e: Estimate, digits: int, *, with_level: bool = False) -> Text:
    if e.ci_low is None or e.ci_high is None:
        return TOO_FEW if e.uncertainty == "none_too_few" else FULL_COUNT
    shown = interval(e.ci_low, e.ci_high, digits)
    return same(f"{level_text(e.ci_level)} ") + shown if with_level else shown


def _caption(result: SayableResult) -> Text:
    kind, subject, outcome = ESTIMANDS[result.estimand], result.subject, result.outcome.label
    return Text(f"{subject.zh}：{outcome.zh}，{kind.zh}", f"{subject.en}: {outcome.en}, {kind.en}")


def _all_checks(result: SayableResult) -> list[CheckResult]:
    account = [] if result.coverage is None else [result.coverage.check()]
    return sorted([*account, *result.checks], key=lambda c: (False, None, True).index(c.passed))


def build_result_card(result: SayableResult) -> str | None:
    """Return the card of a result: its estimates as they are written, its sentences, then its checks."""
    head, rows, left = build_estimate_rows(result)
    checks = [(c.passed, c.text) for c in _all_checks(result)]
    return build_card(_caption(result), head, rows, left=left, sentences=say_result(result).items, checks=checks)


def say_summary(result: SayableResult, lang: str | None = None) -> str:
    """Return a result as a table of text with its sentences and checks below it.

    Parameters
    ----------
    result : Result
        What an estimator found.
    lang : {"zh", "en"} or None
        None takes the language JupyterLab shows.
    """
    said = lang or shown_language()
    head, rows, left = build_estimate_rows(result)
    written: list[list[str | Text]] = [[*head], *rows]
    cells = [[(same(c) if isinstance(c, str) else c)[said] for c in row] for row in written]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)] if rows else []
    lines = [_caption(result)[said]]
    lines += [
        "  ".join(c + " " * (w - _width(c)) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells if rows
    ]
    lines += [say_left(left)[said]] if left else []
    lines += [text[said] for text in say_result(result).items]
    colon = Text("：", ": ")[said]
    return "\n".join([*lines, *(f"- {MARKS[c.passed][said]}{colon}{c.text[said]}" for c in _all_checks(result))])


def _width(text: str) -> int:
    """Return the columns a text takes in a terminal: a Chinese character takes two."""
    import unicodedata

    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def build_scorecard_card(card: SayableScorecard, open_gates: Sequence[tuple[Text, Text]] = ()) -> str | None:
    """Return the card of a scorecard: value, interval, target and verdict of each criterion.

    Parameters
    ----------
    card : Scorecard
        Its preset is named in the caption.
    open_gates : sequence of (Text, Text)
        Name of each gate that cannot be judged, and why.
    """
    rows: list[list[str | Text]] = []
    for c in card.criteria:
        digits = criterion_digits(c)
        value, verdict = quantity(c.estimate.value, c.indicator.unit, digits), VERDICTS[c.verdict]
        rows.append([c.indicator.label, value, _interval(c.estimate, digits), target_text(c), verdict, c.source])
    head = [
        Text("指标", "Indicator"), Text("估计值", "Estimate"), Text("区间", "Interval"), Text("目标", "Target"),
        Text("结论", "Verdict"), Text("目标出处", "Source of the target"),
    ]  # fmt: skip
    caption = Text(f"{card.subject.zh}：对照{card.preset_title.zh}", f"{card.subject.en}: {card.preset_title.en}")
    said = say_scorecard(card).items if len(card.criteria) <= MOST_SAID else ()
    left = [(None, Text(f"{name.zh}：{why.zh}", f"{name.en}: {why.en}")) for name, why in open_gates]
    return build_card(caption, head, rows, sentences=said, checks=left)


class ModelTable:
    """What `maketables.ETable` asks of a model, read off a result."""

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        return build_model_table(cast(SayableResult, self))

    @property
    def __maketables_depvar__(self) -> str:
        return clean_cell(cast(SayableResult, self).outcome.label[shown_language()])

    def __maketables_stat__(self, key: str) -> Any:
        sizes = {e.n_obs for e in cast(SayableResult, self).estimates}
        return sizes.pop() if key == "N" and len(sizes) == 1 else None


def build_model_table(result: SayableResult) -> pd.DataFrame:
    """Return one row per estimate: ``b``, ``se``, ``p_value`` and the ends of the interval, ``ci95l`` and ``ci95u``.

    An interval of another level has no such ends; error and p value are empty where the method gives none. ``p``, from
    which the package makes stars, is empty throughout.
    """
    lang = shown_language()
    rows: dict[str, list[float | None]] = {}
    for e in result.estimates:
        name = clean_cell(name_estimate(result, e)[lang])
        same = sum(other.partition(" (")[0] == name for other in rows)
        ends = (e.ci_low, e.ci_high) if e.ci_level == LEVEL else (None, None)
        rows[f"{name} ({same + 1})" if same else name] = [e.value, e.std_error, None, e.p_value, *ends]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS, dtype=float)
    return table.rename_axis("Coefficient")


def clean_cell(text: str) -> str:
    """Return a text that is no command of LaTeX, Typst or HTML."""
    return text.translate(WIDE)
