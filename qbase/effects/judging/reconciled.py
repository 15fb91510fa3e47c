"""Two estimates of one policy in words: what differs between them, and which one leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qbase.core.errors import UsageError
from qbase.core.numbers import count, number
from qbase.core.results.result import SAME_QUESTION, Result
from qbase.core.results.sentences import digits_of, direction_of, doubt, quantity
from qbase.core.shown.display import Prose
from qbase.core.text import Text, join, same, spaced

ATT = "att"
UNKNOWN = Text("未说明", "not stated")
PRE_MEAN = Text("政策前各期的平均", "the average of all periods before")
LAST_BEFORE = Text("政策前一期", "the single period before")
PARALLEL = Text("无政策时平行变化", "without the policy all would have moved alike")

WHOLE_PATH = Text("政策前的整段路径", "the whole path before")
FOLLOWS = Text(
    "政策前与供体的加权组合一致，之后也会一致",
    "what followed a weighted mean of donors before would have followed it after",
)
BASES = {
    "average before": PRE_MEAN,
    "universal": LAST_BEFORE,
    "varying": Text("各期的前一期", "the period before each"),
}

METHODS: Mapping[str, tuple[Text, Text, Text]] = {
    "twfe": (
        Text("双向固定效应", "two-way fixed effects"),
        Text("其余各期与未采用者的平均", "the average of all other periods and of those not treated"),
        Text("平行变化，且效果不随时间和先后而变", "parallel paths, and an effect alike at all times and dates"),
    ),
    "event_study": (
        Text("事件研究回归", "the event-study regression"),
        LAST_BEFORE,
        Text("平行变化，且先后采用者效果相同", "parallel paths, and the same effect for early and late adopters"),
    ),
    "group_time": (Text("分批采用的组别·时期估计", "group-time effects"), LAST_BEFORE, PARALLEL),
    "imputation": (Text("插补估计", "the imputation estimate"), PRE_MEAN, PARALLEL),
    "imputation_logit": (
        Text("对数几率插补估计", "the imputation estimate on the log-odds"),
        PRE_MEAN,
        Text("无政策时对数几率平行变化", "without the policy the log-odds would have moved alike"),
    ),
    "synthetic": (Text("合成控制", "synthetic control"), WHOLE_PATH, FOLLOWS),
    "sdid": (Text("合成双重差分", "synthetic difference-in-differences"), WHOLE_PATH, FOLLOWS),
    "before_after": (
        Text("前后比较", "before against after"),
        PRE_MEAN,
        Text("无政策时不会变化（弱）", "without the policy nothing would have changed (weak)"),
    ),
    "triple_difference": (
        Text("三重差分", "the triple difference"),
        PRE_MEAN,
        Text("两组别之差平行变化", "parallel paths of the gap between the groups"),
    ),
    "interrupted_series": (
        Text("中断时间序列", "the interrupted series"),
        Text("政策前走势的延长线", "the trend before drawn on"),
        Text("无政策时直线走势会继续（弱）", "without the policy the line before would have gone on (weak)"),
    ),
    "sun_abraham": (Text("交互加权事件研究", "the interaction-weighted event study"), LAST_BEFORE, PARALLEL),
}
SAMPLINGS = {
    "naive": Text("未加权的全部批次", "all batches as drawn"),
    "random_draw": Text("双随机批次", "random draws only"),
    "post_stratified": Text("事后分层", "post-stratified draws"),
    "prediction_powered": Text("以定向抽查为预测的双随机批次", "random draws corrected by directed ones"),
}
WEIGHTS = {
    "None": Text("各主体相等", "every entity alike"),
    "equal": Text("各主体相等", "every entity alike"),
    "n": Text("抽查批次（受抽查量影响）", "batches tested (which moves with testing)"),
}


def reconcile(leading: Result, other: Result, *, because: Text | None = None) -> Text:
    """Reconcile two effects of one policy on one outcome: what differs, and which leads.

    Parameters
    ----------
    leading, other : Result
        With an average effect each; the first one leads.
    because : Text or None
        Why it leads, such as that the locked plan names it; None says what the numbers show: the smaller standard
        error, or the draws it stands on.

    Returns
    -------
    Text
        Values, whether they say the same, then base, weights, sample and assumption where they differ.

    Raises
    ------
    DataError
        One of them has no average effect (QB141).
    UsageError
        They are effects of two policies, or in two units (QB560).

    Examples
    --------
    >>> from qbase.effects import estimate_event_study, estimate_twfe, reconcile
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> said = reconcile(estimate_twfe(panel, policy, "D1.batch"), estimate_event_study(panel, policy, "D1.batch"))
    >>> print(said.en.split(". ")[-1])
    Two-way fixed effects lead: their standard error is 0.2 times that of the other.
    """
    _check_pair(leading, other)
    is_alike = method_text(leading) == method_text(other)
    pair = [_say_one(r, tell_sample=is_alike) for r in (leading, other)]
    opening = Text(
        f"同一政策有两个估计：{pair[0].zh}；{pair[1].zh}。",
        f"Of one policy there are two estimates: {pair[0].en}; {pair[1].en}.",
    )
    gap, lead, reason = _say_gap(leading, other), method_text(leading), because or _reason(leading, other)
    return spaced(
        Text(
            f"{opening.zh}{gap.zh}以{lead.zh}为准：{reason.zh}。",
            f"{opening.en} {gap.en} {lead.en[:1].upper()}{lead.en[1:]} {_verb(lead)}: {reason.en}.",
        )
    )


def _say_gap(leading: Result, other: Result) -> Text:
    """Return by how much two estimates differ, whether they say the same, and in what they were made otherwise."""
    ours = leading.find(ATT)
    gap = quantity(abs(ours.value - other.find(ATT).value), leading.unit, digits_of(leading, ours))
    differences = list(_differences(leading, other))
    what = join(differences, zh="；", en="; ") if differences else Text("说明的各项都相同", "nothing that they state")
    agree = _agree(leading, other)
    return Text(
        f"两者相差 {gap.zh}，{agree.zh}；不同之处：{what.zh}。",
        f"They differ by {gap.en} and {agree.en}. What differs: {what.en}.",
    )


def reconcile_all(leading: Result, *others: Result) -> Prose:
    """Reconcile the leading estimate with each of the others that has one, a paragraph each.

    Parameters
    ----------
    leading, *others : Result
        Of one policy; one in another unit or without an average effect is passed over. What the others say is said
        here.

    Returns
    -------
    Prose
        Where nothing stands beside the leading estimate it says so.

    Examples
    --------
    >>> from qbase.effects import estimate_advised, reconcile_all
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> len(reconcile_all(*estimate_advised(panel, policy, "D1.batch", leads=2, lags=2)).items)
    2
    """
    told = [r for r in others if r.unit == leading.unit and any(e.term == ATT for e in r.estimates)]
    if not leading.estimates or not told:
        return Prose(name="reconciled", items=(Text("只有一个估计。", "There is one estimate only."),))
    return Prose(name="reconciled", items=tuple(spaced(_beside(leading, other)) for other in told))


def _beside(leading: Result, other: Result) -> Text:
    """Return one paragraph of an estimate that does not lead: what it says, and why it is not what leads."""
    _check_pair(leading, other)
    one, gap, reason = _named(other, tell_sample=True), _say_gap(leading, other), _reason(leading, other)
    lead, said = method_text(leading), join(list(other.say().items), zh="", en=" ")
    return Text(
        f"{one.zh}：{said.zh}{gap.zh}以{lead.zh}为准：{reason.zh}。",
        f"{one.en[:1].upper()}{one.en[1:]}: {said.en} {gap.en} {lead.en[:1].upper()}{lead.en[1:]} {_verb(lead)}: "
        f"{reason.en}.",
    )


def find_alike(leading: Result, *others: Result) -> tuple[Result, ...]:
    """Find the results that answer the question of the first one and differ from it in their assumption alone.

    Parameters
    ----------
    leading, *others : Result
        Effects of one policy.

    Returns
    -------
    tuple of Result
        The leading one and those of the same outcome, unit, weights and level with an average effect; empty where there
        are fewer than two.

    Examples
    --------
    >>> from qbase.effects import estimate_advised, find_alike
    >>> from qbase.indicators import build_panel, build_policy
    >>> from qbase.lake import open_workspace
    >>> panel, policy = build_panel(open_workspace(), "D1.batch"), build_policy(open_workspace(), "base")
    >>> [r.method for r in find_alike(*estimate_advised(panel, policy, "D1.batch", leads=2, lags=2))]
    ['imputation', 'group_time', 'imputation_logit']
    """
    told = tuple(r for r in (leading, *others) if any(e.term == ATT for e in r.estimates))
    alike = tuple(r for r in told if _question(r) == _question(leading))
    return alike if len(alike) > 1 and alike[0] is leading else ()


def _question(result: Result) -> tuple[object, ...]:
    return (result.outcome.id, result.unit, *(result.settings.get(name) for name in SAME_QUESTION))


def _check_pair(leading: Result, other: Result) -> None:
    policies = [r.settings.get("policy") for r in (leading, other)]
    if policies[0] == policies[1] and leading.unit == other.unit:
        return
    raise UsageError(
        "QB560",
        found=f"{policies[0]} in {leading.unit}, {policies[1]} in {other.unit}",
        expected="two effects of one policy in one unit",
        fix="reconcile(estimate_imputation(panel, policy, …), estimate_staggered(panel, policy, …))",
    )


def _differences(leading: Result, other: Result) -> Iterator[Text]:
    pairs = [
        (Text("指标", "outcome"), *_outcomes(leading, other)),
        (Text("基期", "base"), _base(leading), _base(other)),
        (Text("权重", "weights"), _weights(leading), _weights(other)),
        (Text("样本", "sample"), *_samples(leading, other)),
        (Text("前提", "assumption"), _assumption(leading), _assumption(other)),
    ]
    for what, ours, theirs in pairs:
        if ours != theirs:
            yield Text(f"{what.zh}：前者为{ours.zh}，后者为{theirs.zh}", f"{what.en}: {ours.en}, against {theirs.en}")


def _outcomes(leading: Result, other: Result) -> tuple[Text, Text]:
    """Return the names of the outcomes; one outcome of two ways of drawing is a difference of samples."""
    names = leading.outcome.label, other.outcome.label
    return names if leading.outcome.id != other.outcome.id else (names[0], names[0])


def method_text(result: Result) -> Text:
    """Return what readers call the method of a result."""
    known = _known(result)
    return same(result.method) if known is None else known[0]


def _known(result: Result) -> tuple[Text, Text, Text] | None:
    """Return what is said of a method; the kinds of synthetic control share their words."""
    return METHODS.get(result.method, METHODS.get(result.method.partition("_")[0]))


def _verb(name: Text) -> str:
    return "lead" if name.en.endswith("effects") else "leads"


def _base(result: Result) -> Text:
    stated = result.settings.get("base")
    if isinstance(stated, str):
        return BASES.get(stated, same(stated))
    known = _known(result)
    return UNKNOWN if known is None else known[1]


def _assumption(result: Result) -> Text:
    known = _known(result)
    return UNKNOWN if known is None else known[2]


def _weights(result: Result) -> Text:
    given = result.settings.get("weight", result.settings.get("weights"))
    return WEIGHTS.get(str(given), same(str(given)))


def _samples(leading: Result, other: Result) -> tuple[Text, Text]:
    """Return what was sampled, of which only that is said in which the two differ."""
    parts = list(zip(_sample_parts(leading), _sample_parts(other), strict=True))
    apart = [pair for pair in parts if pair[0] != pair[1]]
    ours, theirs = (join([pair[i] for pair in apart], zh="，", en=", ") for i in (0, 1))
    return ours, theirs


def _sample_parts(result: Result) -> tuple[Text, Text, Text]:
    att = result.find(ATT)
    unit = result.labels.get("n", Text("主体·时期", "entity-periods"))
    cells, treated = (None if n is None else count(n) for n in (att.n_obs, att.n_treated))
    return (
        _draws(result),
        UNKNOWN if cells is None else Text(f"{cells} 个{unit.zh}", f"{cells} {unit.en}"),
        UNKNOWN if treated is None else Text(f"采用者 {treated} 个", f"{treated} treated"),
    )


def _draws(result: Result) -> Text:
    parts = [SAMPLINGS.get(str(result.settings.get("sampling")), UNKNOWN)]
    if result.settings.get("comparator") == "default controls":
        parts.append(Text("只与产品相同的对照比较", "compared with controls of the same product alone"))
    return join(parts, zh="，", en=", ")


def _say_one(result: Result, *, tell_sample: bool) -> Text:
    name, estimate = _named(result, tell_sample=tell_sample), result.find(ATT)
    value = quantity(estimate.value, result.unit, digits_of(result, estimate), sign=True)
    bracket = doubt(result, estimate)
    return Text(f"{name.zh} {value.zh}（{bracket.zh}）", f"{name.en} {value.en} ({bracket.en})")


def _named(result: Result, *, tell_sample: bool) -> Text:
    name, sample = method_text(result), _draws(result)
    return Text(f"{name.zh}（{sample.zh}）", f"{name.en} ({sample.en})") if tell_sample else name


def _agree(leading: Result, other: Result) -> Text:
    said = [direction_of(r.find(ATT), r.settings.get("margin")) for r in (leading, other)]
    if said[0] == said[1]:
        return Text("结论一致", "lead to the same words")
    return Text("结论不同", "do not lead to the same words")


def _reason(leading: Result, other: Result) -> Text:
    drawn = [r.settings.get("sampling") for r in (leading, other)]
    if drawn[0] == "random_draw" != drawn[1]:
        return Text("它只用双随机批次，不随抽样方式而变", "it rests on random draws, whatever else was drawn")
    errors = [r.find(ATT).std_error for r in (leading, other)]
    if errors[0] is not None and errors[1] is not None and errors[0] < errors[1]:
        times = number(errors[0] / errors[1], 1)
        whose = "their" if _verb(method_text(leading)) == "lead" else "its"
        return Text(f"其标准误是另一个的 {times} 倍", f"{whose} standard error is {times} times that of the other")
    return Text("事先指定由它领先", "it was named to lead")
