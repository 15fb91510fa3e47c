"""The decision of a letter: what can be said, what cannot, and what would settle it; made by stated rules."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping
from typing import Any, Literal

from qbase.core.given import check_word
from qbase.core.markup import shown_language
from qbase.core.shown.display import Bundle
from qbase.core.text import Text
from qbase.core.values import Grade

DecisionVerdict = Literal[
    "improved", "worsened", "no_effect", "hint", "cannot_tell", "data_cannot_decide", "monitoring", "met", "not_met"
]

VERDICTS: dict[DecisionVerdict, Text] = {
    "improved": Text("有改善的效果", "an improving effect"),
    "worsened": Text("有变差的效果", "a worsening effect"),
    "no_effect": Text("没有要紧的效果", "no effect that matters"),
    "hint": Text("有迹象，证据有限，不足以据此决定", "a hint of limited evidence, too little to decide on"),
    "cannot_tell": Text("尚无法判断", "cannot tell yet"),
    "data_cannot_decide": Text("现有数据不足以判断", "the data cannot decide"),
    "monitoring": Text("监测，不作结论", "monitoring, no conclusion"),
    "met": Text("达到条件", "conditions met"),
    "not_met": Text("未达到条件", "conditions not met"),
}
HEADS = {
    "next_step": Text("待决定", "To decide"),
    "can_say": Text("可以说", "What can be said"),
    "cannot_say": Text("不能说", "What cannot"),
    "would_settle": Text("怎样才能判断", "What would settle it"),
}


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Decision(Bundle):
    """What the results of a letter allow to decide.

    A report shows it as a box on its first page, one paragraph a statement; it is recorded like anything shown.

    Parameters
    ----------
    verdict : str
        ``improved worsened no_effect hint cannot_tell data_cannot_decide monitoring met not_met``: the head of the box.
    subject : Text
        What it is about: the outcome of whom.
    can_say : tuple of (Text, grade or None)
        Statements the data carry.
    cannot_say : tuple of Text
        Statements they do not, each with the reason.
    would_settle : tuple of Text
        The route, with the number of draws or clusters it takes.
    next_step : Text or None
        What there is to decide or to do now, what holds meanwhile, and when to look again: a page says it below its
        first sentence.
    words : Text or None
        The verdict in words, where it is about no effect of a policy; None takes those of `VERDICTS`.

    Raises
    ------
    UsageError
        A verdict that is none (QB144).

    Examples
    --------
    >>> from qbase.core import Decision, Text
    >>> Decision(
    ...     name="decision", verdict="cannot_tell", subject=Text("合格率", "pass rate"),
    ...     can_say=((Text("提高超过 9 个百分点可以排除。", "A rise of more than 9 points is ruled out."), "limited"),),
    ...     cannot_say=(Text("没有效果。", "That there is no effect."),),
    ...     would_settle=(Text("每季每个集群抽查 40 批。", "40 batches a cluster and quarter."),),
    ...     next_step=Text("要不要加抽；之前目标照旧。", "Whether to draw more; until then targets stand."),
    ... )
    合格率：尚无法判断。
    待决定：要不要加抽；之前目标照旧。
    可以说：提高超过 9 个百分点可以排除。
    不能说：没有效果。
    怎样才能判断：每季每个集群抽查 40 批。
    Pass rate: cannot tell yet.
    To decide: Whether to draw more; until then targets stand.
    What can be said: A rise of more than 9 points is ruled out.
    What cannot: That there is no effect.
    What would settle it: 40 batches a cluster and quarter.
    """

    verdict: DecisionVerdict
    subject: Text
    can_say: tuple[tuple[Text, Grade | None], ...] = ()
    cannot_say: tuple[Text, ...] = ()
    would_settle: tuple[Text, ...] = ()
    next_step: Text | None = None
    words: Text | None = None

    def __post_init__(self) -> None:
        check_word("verdict", self.verdict, VERDICTS)

    @property
    def kind(self) -> str:
        """Prose: every page that can show sentences can show a decision."""
        return "prose"

    @property
    def lead(self) -> Text:
        """The subject and the verdict, as one sentence."""
        said, subject = self.words or VERDICTS[self.verdict], self.subject
        return Text(f"{subject.zh}：{said.zh}。", f"{subject.en[:1].upper()}{subject.en[1:]}: {said.en}.")

    def items(self) -> tuple[tuple[Text, Grade | None], ...]:
        """Return every paragraph with its grade: the lead, the next step, then each statement under its head."""
        parts: list[tuple[Text, Grade | None]] = [(self.lead, None)]
        parts += [(_headed("next_step", self.next_step), None)] if self.next_step else []
        parts += [(_headed("can_say", text), grade) for text, grade in self.can_say]
        parts += [(_headed("cannot_say", text), None) for text in self.cannot_say]
        parts += [(_headed("would_settle", text), None) for text in self.would_settle]
        return tuple(parts)

    def body(self) -> dict[str, Any]:
        """Return the paragraphs as prose in the order of a page, where the next step stands above the box."""
        items = [{**text.payload(), "grade": grade} for text, grade in self.items()]
        return {"role": "decision", "items": sorted(items, key=lambda item: not is_next_step(item))}

    def document(self) -> dict[str, Any]:
        """Return verdict and statements as plain values for JSON."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "subject": self.subject.payload(),
            "can_say": [{**text.payload(), "grade": grade} for text, grade in self.can_say],
            "cannot_say": [text.payload() for text in self.cannot_say],
            "would_settle": [text.payload() for text in self.would_settle],
            "next_step": self.next_step.payload() if self.next_step else None,
        }

    def plain(self) -> str:
        """Return all paragraphs, Chinese then English."""
        items = [text for text, _ in self.items()]
        return "\n".join([t.zh for t in items] + [t.en for t in items])

    def lab(self) -> dict[str, str]:
        """Return the box for JupyterLab, in its language."""
        lang = shown_language()
        first, *rest = (html.escape(text[lang]) for text, _ in self.items())
        return {"text/html": f"<p><b>{first}</b></p>" + "".join(f"<p>{text}</p>" for text in rest)}


FAILED = Text("有检查未通过，列在“阅读提醒”里。", "checks did not pass; they stand under Read with care.")
"""What a decision says of failed checks: each is said in full once, among the reminders of the page."""


def is_next_step(text: Mapping[str, str]) -> bool:
    """Whether a paragraph of a decision, by language, is its next step."""
    return text["zh"].startswith(f"{HEADS['next_step'].zh}：")


def _headed(part: str, text: Text) -> Text:
    return Text(f"{HEADS[part].zh}：{text.zh}", f"{HEADS[part].en}: {text.en}")
