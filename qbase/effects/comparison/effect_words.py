"""What the effects say: subjects, event times and caveats, in both languages."""

from __future__ import annotations

from collections.abc import Sequence

from qbase.core.given import read_text
from qbase.core.numbers import count
from qbase.core.panel import Panel
from qbase.core.periods import Freq
from qbase.core.policy import Policy, match_policy
from qbase.core.text import Text
from qbase.effects.comparison.treated_and_controls import Design

TREATED = {
    "cluster_id": Text("采用政策的集群", "treated clusters"),
    "firm_id": Text("采用政策的企业", "treated firms"),
    "town_code": Text("采用政策的乡镇", "treated towns"),
}

STEP = {"Q": Text("个季度", "quarter"), "H": Text("个半年", "half-year"), "A": Text("年", "year")}
NOW = {
    "Q": Text("政策开始当季", "in the quarter treatment began"),
    "H": Text("政策开始的半年", "in the half-year treatment began"),
    "A": Text("政策开始当年", "in the year treatment began"),
}

ROWS = {
    "cluster_id": Text("集群", "cluster"),
    "firm_id": Text("企业", "firm"),
    "town_code": Text("乡镇", "town"),
}
SPANS = {"Q": Text("季度", "quarters"), "H": Text("半年", "half-years"), "A": Text("年", "years")}

COMPARED = Text("与同期未采用者相比，", "compared with those not treated at the time, ")
OTHERWISE = Text("与其他时期和未采用者相比，", "relative to all other periods and to those not treated, ")

PARALLEL = Text(
    "前提：若没有这项政策，采用者与未采用者的变化本应相同；数据不能证明这一点。",
    "Assumes that without the policy treated and comparison entities would have moved alike; data cannot prove it.",
)
EQUAL_WEIGHT = Text(
    "每个主体每一期权重相同，不论抽查多少。", "Every entity and period weighs the same, however much of it was tested."
)
BATCH_WEIGHT = Text(
    "按抽查批次加权：结果受抽查量影响，而抽查量本身可能随政策改变。",
    "Weighted by batches tested: the figure depends on how much was tested, which the policy itself may have changed.",
)
STAGGERED = Text(
    "各主体采用时间不同：若效果随时间增强，双向固定效应会把已采用者当作比较对象，估计可能偏小甚至反号"
    "（Goodman-Bacon 2021）。",
    "Adoption is staggered: where effects grow with time, two-way fixed effects compare with entities already treated, "
    "and the estimate can be too small or have the wrong sign (Goodman-Bacon 2021).",
)
STAGGERED_EVENTS = Text(
    "各主体采用时间不同：若先后采用者的效果不同，各期估计会相互掺杂（Sun 与 Abraham 2021）。",
    "Adoption is staggered: where early and late adopters differ in effect, the event times contaminate each other "
    "(Sun and Abraham 2021).",
)
REFERENCE = Text(
    "只为所列事件时间设虚拟变量，参照为其余所有时期；其余时期若仍有效果，估计会偏离。",
    "Only the listed event times have dummies; all other periods are the reference. An effect in those would bias it.",
)
NAIVE = Text(
    "合格率未按抽样方式加权：风险定向抽查使它偏低，抽样方式随政策改变时，估计会把这一改变算作效果。",
    "Pass rates are not weighted by how batches were drawn: sampling directed at risk lowers them, and a change of "
    "drawing that comes with the policy is counted as an effect.",
)
IID = Text(
    "标准误假定各期误差互不相关，仅用于复现已发表结果。",
    "Standard errors assume errors independent over time; for replication of a published result only.",
)
CAUSAL_BASE = Text(
    "以政策开始前一期为基期；该期若已提前反应，整条曲线都会随之移动。",
    "The period before treatment is the base; if it already reacts, the whole path shifts.",
)


def treated_text(entity: str) -> Text:
    """Return the treated in words, by what a panel follows."""
    return TREATED.get(entity, Text("采用政策的主体", "treated entities"))


def unit_of_rows(entity: str, freq: Freq) -> Text:
    """Return what the n of an effect counts: ``集群·季度`` / ``cluster-quarters``."""
    who, span = ROWS.get(entity, Text("主体", "entity")), SPANS[freq]
    return Text(f"{who.zh}·{span.zh}", f"{who.en}-{span.en}")


def event_text(event_time: int, freq: Freq, *, edge: bool = False) -> Text:
    """Return an event time in words.

    Parameters
    ----------
    event_time : int
        Periods since adoption.
    freq : {"Q", "H", "A"}
        Kind of period.
    edge : bool
        Whether this time stands for all beyond it as well.

    Returns
    -------
    Text
        ``政策开始后第 2 季度及以后`` / ``2 or more quarters after treatment began``.
    """
    if event_time == 0 and not edge:
        return NOW[freq]
    size, step = abs(event_time), STEP[freq]
    late = event_time >= 0
    side = Text("后", "after treatment began") if late else Text("前", "before treatment began")
    beyond = Text("及以后" if late else "及以前", " or more") if edge else Text("", "")
    plural = "" if size == 1 and not edge else "s"
    return Text(
        f"政策开始{side.zh}第 {size} {step.zh}{beyond.zh}", f"{count(size)}{beyond.en} {step.en}{plural} {side.en}"
    )


def moment_label(when: Text, comparison: Text) -> Text:
    """Return the opening of a sentence about one moment: when, and compared with whom."""
    return Text(f"{when.zh}，{comparison.zh}", f"{when.en}, {comparison.en}")


def span_text(lags: int, freq: Freq, *, edge: bool) -> Text:
    """Return the time an average effect spans: from adoption to its last event time."""
    if edge:
        return Text("政策开始以来平均", "on average since treatment began")
    if lags == 0:
        return NOW[freq]
    step = STEP[freq]
    plural = "" if lags == 1 else "s"
    return Text(
        f"政策开始后（至第 {lags} {step.zh}）平均", f"on average up to {lags} {step.en}{plural} after treatment began"
    )


def subject_text(panel: Panel, policy: Policy, treated: Sequence[str], given: Text | None) -> Text:
    """Return the treated in words: as given, as the policy has them, the name of one alone, or by what they are.

    Parameters
    ----------
    panel, policy
        What is followed, and by what it was treated.
    treated : sequence of str
        Those behind the estimate.
    given : Text or None
        Of the caller.

    Raises
    ------
    UsageError
        ``given`` is no text (QB144).
    """
    if given is not None:
        return read_text("subject", given)
    if policy.treated is None and len(treated) == 1:
        return panel.label(treated[0])
    return policy.treated or treated_text(panel.entity)


def drawing_notes(panel: Panel) -> tuple[Text, ...]:
    """Return the caveat about the way of drawing, where the outcome comes from inspections and is not weighted."""
    return (NAIVE,) if panel.cells is not None and panel.sampling == "naive" else ()


def given_notes(panel: Panel, policy: Policy) -> tuple[Text, ...]:
    """Return what was settled when a panel was built, and when a policy is brought together with it."""
    return (*panel.notes, *match_policy(policy, panel.entities).notes)


def notes_of(
    panel: Panel, policy: Policy, design: Design, *, weighted: bool, errors: str, staggered: Text
) -> tuple[Text, ...]:
    """Return the caveats that hold for this panel and design."""
    notes = [PARALLEL]
    if design.is_staggered:
        notes.append(staggered)
    notes.append(BATCH_WEIGHT if weighted else EQUAL_WEIGHT)
    notes += drawing_notes(panel)
    if errors == "iid":
        notes.append(IID)
    return (*notes, *given_notes(panel, policy))
