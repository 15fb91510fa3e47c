"""What an earlier edition of a letter said, held against what is known now: as sentences of the letter itself."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping
from typing import Any, Literal

from qbase.core.markup import shown_language
from qbase.core.numbers import UNITS_SHORT, digits_for, interval, level_text, number
from qbase.core.results.told_numbers import VERDICT_WORDS, Told
from qbase.core.shown.display import Bundle
from qbase.core.text import Text, join, spaced
from qbase.core.values import Source, freeze

State = Literal["same", "revised", "moved", "same_verdict", "other_verdict"]

STATES: Mapping[State, Text] = {
    "same": Text("没有变", "unchanged"),
    "revised": Text("有修订，仍在上次区间之内", "revised, inside the interval of last time"),
    "moved": Text("越出上次的区间", "beyond the interval of last time"),
    "same_verdict": Text("换了时期，判断相同", "another period, the same verdict"),
    "other_verdict": Text("换了时期，判断不同", "another period, another verdict"),
}
NOTHING_SAID = Text(
    "没有更早的一期：此前没有依据更早数据发布过这份报告，无从对照。",
    "There is no earlier edition: this report was not published on earlier data, and there is nothing to hold it "
    "against.",
)


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class LastResults:
    """The record of the last edition of a letter; empty where there is none.

    Parameters
    ----------
    run_id, slot, snapshot, started_at : str
        Of the run that made it.
    document : mapping
        Its ``results.json``.
    sha256 : str
        Of the document: it is in the fingerprint of the run that reads it.

    Examples
    --------
    >>> from qbase.core import LastResults
    >>> LastResults(), LastResults(run_id="R0007", slot="2026-10-15", snapshot="S0012", document={"results": []})
    (<LastResults: no earlier edition>, <LastResults of 2026-10-15, S0012, run R0007: 0 results>)
    """

    run_id: str = ""
    slot: str = ""
    snapshot: str = ""
    started_at: str = ""
    document: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sha256: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "document", freeze(self.document))

    @property
    def is_there(self) -> bool:
        """Whether there is an earlier edition."""
        return bool(self.run_id)

    def __repr__(self) -> str:
        if not self.is_there:
            return "<LastResults: no earlier edition>"
        n = len(self.document.get("results", ()))
        return f"<LastResults of {self.slot}, {self.snapshot}, run {self.run_id}: {n} results>"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restated:
    """One statement of the last edition beside the same number of today.

    Parameters
    ----------
    before : Told
        What was said.
    now : Told
        The number of the same period, else the one spoken of today.
    state : str
        A key of `STATES`.
    """

    before: Told
    now: Told
    state: State

    @property
    def has_turned(self) -> bool:
        """Whether the verdict on one and the same period is another one now."""
        return self.state in {"same", "revised", "moved"} and self.before.verdict != self.now.verdict

    @property
    def name(self) -> Text:
        """What the number is, and of which period."""
        # the words of today: a record of before may know the indicator by its id alone
        window = self.before.window
        return self.now.about + (Text(f"（{window}）", f" ({window})") if window else Text("", ""))

    @property
    def turn(self) -> Text:
        """The verdict of before and of now."""
        old, new = (VERDICT_WORDS.get(told.verdict, Text("–", "–")) for told in (self.before, self.now))
        return Text(f"{old.zh} → {new.zh}", f"{old.en} → {new.en}")


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Retold(Bundle):
    """What was said last time and whether it changed; a report shows it as prose.

    Parameters
    ----------
    last : LastResults
        The last edition.
    rows : tuple of Restated
        Its statements, as far as this letter estimates the same.

    Examples
    --------
    >>> from qbase.core import LastResults, Retold
    >>> print(Retold(name="retold", last=LastResults()).items()[0].en)
    There is no earlier edition: this report was not published on earlier data, and there is nothing to hold it against.
    """

    last: LastResults
    rows: tuple[Restated, ...] = ()

    @property
    def kind(self) -> str:
        """Prose: every page that can show sentences can show it."""
        return "prose"

    @property
    def sources(self) -> tuple[Source, ...]:
        """The record it was read from."""
        if not self.last.is_there:
            return ()
        title = Text(f"上一期的结果（{self.last.slot}）", f"results of the last edition ({self.last.slot})")
        return (Source(path=f"results.json of {self.last.run_id}", sha256=self.last.sha256, title=title),)

    def items(self) -> tuple[Text, ...]:
        """Return the sentences: how many numbers hold, and the names of those that do not."""
        if not self.last.is_there:
            return (NOTHING_SAID,)
        moved = [row.name for row in self.rows if row.state == "moved"]
        turned = [row.name + Text("：", ": ") + row.turn for row in self.rows if row.has_turned]
        said = [self._lead()]
        said += [_listed(Text("越出上次区间的", "Beyond the interval of last time"), moved)] if moved else []
        said += [_listed(Text("判断变了的", "With another verdict on the same period"), turned)] if turned else []
        return tuple(spaced(text) for text in said)

    def body(self) -> dict[str, Any]:
        """Return the sentences as prose."""
        return {"role": "text", "items": [{**text.payload(), "grade": None} for text in self.items()]}

    def plain(self) -> str:
        """Return the sentences, Chinese then English."""
        return "\n".join([t.zh for t in self.items()] + [t.en for t in self.items()])

    def lab(self) -> dict[str, str]:
        """Return the sentences for JupyterLab, in its language."""
        lang = shown_language()
        return {"text/html": "".join(f"<p>{html.escape(t[lang])}</p>" for t in self.items())}

    def _lead(self) -> Text:
        last, n = self.last, len(self.rows)
        edition = Text(
            f"上一期（{last.slot}，数据版本 {last.snapshot}）", f"the last edition ({last.slot}, data {last.snapshot})"
        )
        if not n:
            return Text(f"{edition.zh}没有可以对照的数字。", f"T{edition.en[1:]} has no number that can be compared.")
        parts = [(STATES[state], sum(row.state == state for row in self.rows)) for state in STATES]
        shown = [Text(f"{words.zh}的 {k} 个", f"{k} {words.en}") for words, k in parts if k]
        counted = join(shown, zh="，", en="; ")
        plural = "number" if n == 1 else "numbers"
        return Text(
            f"{edition.zh}说到的 {n} 个数，按现在的数据重算：{counted.zh}。",
            f"Of {n} {plural} spoken of in {edition.en}, computed again on the data of today: {counted.en}.",
        )


def write_told(told: Told, *, is_brief: bool = False) -> Text:
    """Return a number with its unit and interval; briefly, without the level of the interval."""
    e = told.estimate
    digits = digits_for(told.unit, e.std_error, e.ci_low, e.ci_high, value=e.value)
    unit = UNITS_SHORT.get(told.unit, Text("", ""))
    gap = "" if told.unit == "pct" else " "
    is_signed = told.estimand not in {"level", "need", "target"}
    value = Text(*(f"{number(e.value, digits, sign=is_signed)}{gap}{unit[lang]}".strip() for lang in ("zh", "en")))
    if e.ci_low is None or e.ci_high is None:
        return value
    ends, level = interval(e.ci_low, e.ci_high, digits), "" if is_brief else f"{level_text(e.ci_level)} CI "
    return Text(f"{value.zh}（{level}{ends.zh}）", f"{value.en} ({level}{ends.en})")


def _listed(head: Text, names: list[Text]) -> Text:
    listed = join(names, zh="；", en="; ")
    return Text(f"{head.zh}：{listed.zh}。", f"{head.en}: {listed.en}.")
