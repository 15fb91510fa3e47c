"""Which designs the data can carry, and why not the others; judged without looking at any treated outcome."""

from __future__ import annotations

import dataclasses
from typing import Any

from qbase.core.numbers import difference_unit
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.sentences import quantity
from qbase.core.shown.display import Column, Prose, Table
from qbase.core.text import Text, join, spaced
from qbase.effects.comparison.default_controls import Controls
from qbase.effects.comparison.untreated_facts import UntreatedFacts, read_facts
from qbase.effects.judging.design_options import DesignOption, Name, judge_designs, judge_instruments
from qbase.effects.judging.headroom import Headroom, largest_gain
from qbase.stats.testing.detectable_effect import minimum_detectable_effect


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Advice:
    """What the data can carry, as text and table.

    Parameters
    ----------
    subject : Text
        The policy and the outcome.
    facts : UntreatedFacts
        All that was looked at.
    options : tuple of DesignOption
        Every design, the strongest first.
    headroom : Headroom or None
        What could be found, judged from the untreated history; None where that is too short.

    Examples
    --------
    >>> from qbase.effects import advise
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> advice = advise(panel, policy, "D1.batch")
    >>> advice.lead.name, [option.name for option in advice.options if option.can]
    ('imputation', ['imputation', 'staggered', 'random_draws', 'synthetic', 'before_after', 'path'])
    """

    subject: Text
    facts: UntreatedFacts
    options: tuple[DesignOption, ...]
    headroom: Headroom | None = None

    @property
    def lead(self) -> DesignOption:
        """The strongest design the data carry; a described path at the least."""
        return next(option for option in self.options if option.can)

    def find(self, name: Name) -> DesignOption:
        """Return a design by its name."""
        return next(option for option in self.options if option.name == name)

    def can(self, name: Name) -> bool:
        """Return whether the data carry a design; False for one that was not asked about."""
        return any(option.can for option in self.options if option.name == name)

    def say(self) -> Prose:
        """Return the facts, the design that leads with its reason, and what could be found, one sentence each."""
        items = [_say_facts(self), _say_lead(self)]
        if self.headroom is not None:
            items.append(_say_headroom(self.headroom, self.facts))
        return Prose(name="advice", items=tuple(spaced(t) for t in items))

    def table(self) -> Table:
        """Return every design with whether the data carry it, and why; `options` has the functions too."""
        yes, no = Text("可以", "yes"), Text("不可以", "no")
        columns = tuple(
            Column(label=label)
            for label in (
                Text("设计", "design"),
                Text("数据能否支持", "carried"),
                Text("理由", "why"),
            )
        )
        return Table(
            name="advice_designs",
            caption=Text(f"{self.subject.zh}：数据能支持哪些设计", f"{self.subject.en}: designs the data can carry"),
            columns=columns,
            rows=tuple((o.title, yes if o.can else no, spaced(o.why)) for o in self.options if o.is_asked),
            style="effects",
            note=self._note(),
        )

    def _note(self) -> Text:
        """Return what the rows do not say: that nothing of the outcome was seen, and what nobody asked for."""
        unseen = Text("未看任何采用政策之后的结果。", "No outcome under the policy was looked at.")
        left = [
            Text(f"{o.title.zh}：{o.why.zh}。", f"{o.title.en[:1].upper()}{o.title.en[1:]}: {o.why.en}.")
            for o in self.options
            if not o.is_asked
        ]
        return join([unseen, *left], zh="", en=" ")

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "subject": self.subject.payload(),
            "lead": self.lead.name,
            "facts": dataclasses.asdict(self.facts),
            "options": [{"name": o.name, "can": o.can, "why": o.why.payload(), "how": o.how} for o in self.options],
            "headroom": None if self.headroom is None else self.headroom.payload(),
        }

    def __repr__(self) -> str:
        return f"{self.say().plain()}\n{self.table().plain()}"

    def _repr_html_(self) -> str:
        return self.say().lab()["text/html"] + self.table().lab()["text/html"]


def advise(panel: Panel, policy: Policy, outcome: str, *, controls: Controls | None = None) -> Advice:
    """Advise which designs panel and policy can carry, from untreated outcomes and dates alone.

    Parameters
    ----------
    panel : Panel
        Outcomes; those of treated cells are masked before anything is read, so that no choice can follow them.
    policy : Policy
        Who was treated from when; its treated should be those of the panel's entities. Where its plan names
        instruments, its doses tell whether these can be judged one by one.
    outcome : str
        Id of an indicator of the panel.
    controls : Controls or None
        From `qbase.effects.choose_controls`, for the design that is compared with these alone.

    Returns
    -------
    Advice
        One treated entity is an answer: synthetic control, before against after, or a described path.

    Raises
    ------
    PanelError
        Unknown (QB123) or shrunk (QB125) indicator.

    References
    ----------
    Rubin, D. B. (2008). For objective causal inference, design trumps analysis. Annals of Applied Statistics 2,
    808-840.

    Examples
    --------
    >>> from qbase.effects import advise
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> print(advise(panel, policy, "D1.batch").say().items[1].en)
    The imputation estimate leads: 5 treated, 7 controls and at least 13 periods before, whose average is the base.
    """
    facts = read_facts(panel, policy, outcome)
    indicator = panel.indicator(outcome)
    designs = judge_designs(facts, sampling=panel.sampling, controls=controls)
    options = (*designs, judge_instruments(panel, policy, outcome))
    subject = Text(f"{policy.title.zh} · {indicator.label.zh}", f"{policy.title.en} · {indicator.label.en}")
    room = None
    if facts.block_error is not None:
        room = Headroom(
            unit=difference_unit(indicator.unit),
            detectable=minimum_detectable_effect(facts.block_error, df=max(1, facts.n_blocks - 2)),
            largest=largest_gain(indicator, facts.level),
            counterfactual=facts.level,
        )
    return Advice(subject=subject, facts=facts, options=options, headroom=room)


def _say_facts(advice: Advice) -> Text:
    f = advice.facts
    parts = [
        Text(f"采用政策的 {f.n_treated} 个", f"{f.n_treated} treated"),
        Text(f"始终未采用的 {f.n_controls} 个", f"{f.n_controls} untreated throughout"),
    ]
    if f.n_treated:
        dates = ("、".join(f.starts), ", ".join(f.starts))
        parts += [
            Text(f"采用时间 {dates[0]}", f"starts {dates[1]}"),
            Text(
                f"此前至少 {f.n_before} 期，此后至少 {f.n_after} 期",
                f"{f.n_before} periods before and {f.n_after} after at the least",
            ),
        ]
    if f.batches_per_cell is not None:
        parts.append(Text(f"每格 {f.batches_per_cell:g} 批", f"{f.batches_per_cell:g} batches a cell"))
    if f.random_per_cell is not None:
        parts.append(Text(f"其中双随机 {f.random_per_cell:g} 批", f"{f.random_per_cell:g} of them random draws"))
    return Text(
        f"{advice.subject.zh}：{'，'.join(p.zh for p in parts)}。",
        f"{advice.subject.en}: {', '.join(p.en for p in parts)}.",
    )


def _say_lead(advice: Advice) -> Text:
    lead = advice.lead
    return Text(
        f"以{lead.title.zh}为主：{lead.why.zh}。",
        f"{lead.title.en[:1].upper()}{lead.title.en[1:]} leads: {lead.why.en}.",
    )


def _say_headroom(room: Headroom, facts: UntreatedFacts) -> Text:
    found = quantity(room.detectable, room.unit, 1 if room.unit == "pp" else 3)
    head = Text(
        f"按政策前两段各 {facts.block} 期的历史，大约 {found.zh}以上的效果才能发现",
        f"By the history of two blocks of {facts.block} periods, effects from about {found.en} could be found",
    )
    if room.largest is None:
        return Text(f"{head.zh}。", f"{head.en}.")
    most = quantity(room.largest, room.unit, 1 if room.unit == "pp" else 3)
    tail = Text(f"而最多可提高 {most.zh}", f"and at most {most.en} can be gained")
    if room.is_enough is False:
        tail += Text("：现有数据很可能不足以判断", ": the data will most likely not decide")
    return Text(f"{head.zh}，{tail.zh}。", f"{head.en}, {tail.en}.")
