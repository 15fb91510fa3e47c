"""What a number stands on: how many of the records on record count, why the others do not, what is withheld."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping

from qbase.core import periods
from qbase.core.numbers import count, percent
from qbase.core.text import Text, join
from qbase.core.values import CheckResult, freeze

MOST_LOST = 0.10
"""With more than one record in ten lost, who is missing may matter more than the sampling error."""

COUNTED = "counted"
DEFINED = {
    "recheck": Text("复查 {n} 批", "{n} re-checks"),
    "complaint": Text("投诉 {n} 批", "{n} complaints"),
    "followup": Text("跟踪 {n} 批", "{n} follow-ups"),
    "other_role": Text("委托等非生产企业 {n} 批", "{n} of firms that did not make the goods"),
    "other_sampling": Text("非双随机抽样 {n} 批", "{n} not drawn at random"),
    "outside": Text("所选时期之外 {n} 批", "{n} outside the window"),
    "filtered": Text("按要求筛除 {n} 批", "{n} left out on request"),
}
"""What does not count by definition of what was asked."""

LOST = {
    "no_firm": Text("无法确定属于哪家企业 {n} 批", "{n} of no firm that can be told"),
    "waiting": Text("企业身份待人工确认 {n} 批（qbase links list）", "{n} wait for a person (qbase links list)"),
    "no_place": Text("企业不属于任何所比较的对象 {n} 批", "{n} of firms that belong to no entity followed"),
    "no_date": Text("没有抽样日期 {n} 批", "{n} without a sampling date"),
    "quarantined": Text("被隔离 {n} 批（qbase quarantine list）", "{n} set aside (qbase quarantine list)"),
    "unmeasured": Text("缺少该指标所需内容 {n} 批", "{n} without what the indicator is measured by"),
}
"""What should count and cannot."""

ALL_COUNTED = Text("应计入的均已计入。", "Nothing that should count is lost.")
ALL_TAKEN_COUNTED = Text("已收下的批次中，应计入的均已计入。", "Of what was taken, nothing that should count is lost.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coverage:
    """What became of every record that could have counted: each has one fate, and their sum is what is on record.

    Parameters
    ----------
    fates : mapping
        Fate -> records: ``counted``, those left out by definition (`DEFINED`), and losses (`LOST`); what is in none
        of these lists is a loss. Fates of no record are left out.
    measured : mapping
        Indicator -> records its values were made of, where that can be told.
    overturned : int
        Counted failures that an appeal overturned; they count as passes.
    by_name : int
        Counted ones matched by the registered name alone, for want of a valid code.
    doubtful : int
        Of all seen, those whose firm a person has to confirm; they count only where a sound code names a firm.
    refused : int
        Files received that were refused or wait for an answer; nobody knows how many records they hold.

    Examples
    --------
    >>> from qbase.core import Coverage
    >>> coverage = Coverage(fates={"counted": 15, "no_firm": 465, "recheck": 42})
    >>> coverage.seen, coverage.counted, coverage.lost, coverage.is_lossy
    (522, 15, 465, True)
    >>> print(coverage.say().en)
    Stands on 15 of 522 batches on record. Not counted by definition: 42 re-checks. Lost: 465 of no firm that can be
    told (96.9% of those that should count).
    """

    fates: Mapping[str, int]
    measured: Mapping[str, int] = dataclasses.field(default_factory=dict)
    overturned: int = 0
    by_name: int = 0
    doubtful: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "fates", freeze({fate: int(n) for fate, n in self.fates.items() if n}))
        object.__setattr__(self, "measured", freeze(self.measured))

    @property
    def seen(self) -> int:
        """Records on record."""
        return sum(self.fates.values())

    @property
    def counted(self) -> int:
        """Records that count."""
        return self.fates.get(COUNTED, 0)

    @property
    def losses(self) -> dict[str, int]:
        """Why records that should count do not, and how many."""
        return {fate: n for fate, n in self.fates.items() if fate != COUNTED and fate not in DEFINED}

    @property
    def lost(self) -> int:
        """Records that should count and do not."""
        return sum(self.losses.values())

    @property
    def lost_share(self) -> float:
        """Share lost of the records that should count; 0 where none should."""
        due = self.counted + self.lost
        return self.lost / due if due else 0.0

    @property
    def is_lossy(self) -> bool:
        """Whether more is lost than the declared limit (`MOST_LOST`)."""
        return self.lost_share > MOST_LOST

    def __add__(self, other: Coverage) -> Coverage:
        """Return the account of both together, of two regions or two periods."""
        return Coverage(
            fates=_add(self.fates, other.fates),
            measured=_add(self.measured, other.measured),
            overturned=self.overturned + other.overturned,
            by_name=self.by_name + other.by_name,
            doubtful=self.doubtful + other.doubtful,
            # two regions or periods of one lake wait for the same files
            refused=max(self.refused, other.refused),
        )

    def narrow(self, outcome: str, kept: int | None = None) -> Coverage:
        """Return the account of one indicator.

        Parameters
        ----------
        outcome : str
            Counted records that it is not made of are lost to it.
        kept : int or None
            Records its values stand on now; what was taken out since is left out on request.
        """
        measured = self.measured.get(outcome)
        if measured is None or measured > self.counted:
            return self
        now = measured if kept is None else min(kept, measured)
        more = {COUNTED: now - self.counted, "filtered": measured - now, "unmeasured": self.counted - measured}
        return dataclasses.replace(self, fates=_add(self.fates, more), measured={outcome: now})

    def say_lost(self) -> Text:
        """Return what is lost in a few words, for a first line."""
        due, share = self.counted + self.lost, percent(100 * self.lost_share)
        return Text(
            f"仅依据应计入的 {count(due)} 批中的 {count(self.counted)} 批，{count(self.lost)} 批（{share}）未能计入。",
            f"Stands on only {count(self.counted)} of {count(due)} batches that should count; "
            f"{count(self.lost)} ({share}) are lost.",
        )

    def say(self) -> Text:
        """Return the whole account."""
        inside = self.seen - self.fates.get("outside", 0)
        of = Text("所选时期", " in the window") if inside < self.seen else Text("", "")
        parts = [
            Text(
                f"依据{of.zh}在案 {count(inside)} 批中的 {count(self.counted)} 批。",
                f"Stands on {count(self.counted)} of {count(inside)} batches on record{of.en}.",
            )
        ]
        defined = _list(DEFINED, self.fates)
        if defined is not None:
            parts.append(Text(f"按定义不计入：{defined.zh}。", f"Not counted by definition: {defined.en}."))
        lost = _list({**_unknown(self.losses), **LOST}, self.fates)
        share = percent(100 * self.lost_share)
        words = ALL_COUNTED if not self.refused else ALL_TAKEN_COUNTED
        if lost is not None:
            words = Text(
                f"未能计入：{lost.zh}（占应计入的 {share}）。",
                f"Lost: {lost.en} ({share} of those that should count).",
            )
        parts.append(words)
        return join([*parts, *self._remarks()], zh="", en=" ")

    def check(self) -> CheckResult:
        """Return the account as a check, which fails where more is lost than the declared limit."""
        return CheckResult(name="coverage", passed=not self.is_lossy, text=self.say())

    def columns(self) -> dict[str, int]:
        """Return how many records there are, count and are lost, and the files refused, by the name of a column."""
        return {
            "records_seen": self.seen,
            "records_counted": self.counted,
            "records_lost": self.lost,
            "files_refused": self.refused,
        }

    def payload(self) -> dict[str, int | dict[str, int]]:
        """Return plain values for JSON."""
        return {**self.columns(), "fates": dict(self.fates)}

    def _remarks(self) -> Iterable[Text]:
        if self.refused:
            files = "file was" if self.refused == 1 else "files were"
            yield Text(
                f"另有 {count(self.refused)} 个文件被拒收或等待回答，所含批数不明。",
                f"Besides, {count(self.refused)} {files} refused or waiting for an answer: rows unknown.",
            )
        if self.by_name:
            yield Text(
                f"其中 {count(self.by_name)} 条因代码缺失或有误，按登记名称对应。",
                f"{count(self.by_name)} counted ones were matched by registered name, for want of a sound code.",
            )
        if self.doubtful:
            yield Text(
                f"全部记录中 {count(self.doubtful)} 条的企业身份待人工确认（qbase links list）。",
                f"Of all seen, the firm of {count(self.doubtful)} has to be confirmed by a person (qbase links list).",
            )
        if self.overturned:
            yield Text(
                f"复检改判合格的 {count(self.overturned)} 条按合格计。",
                f"{count(self.overturned)} failures overturned on appeal count as passes.",
            )


UNKNOWN_COVERAGE = Text(
    "依据的记录占多少无从得知：数据由使用者直接给出，或有一部分不对外显示。",
    "How much of what is on record this stands on is not known: the frame was handed over, or part is withheld.",
)


def _add(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    whole = collections.Counter(one)
    for fate, n in other.items():
        whole[fate] += n
    return dict(whole)


def _unknown(losses: Mapping[str, int]) -> dict[str, Text]:
    return {fate: Text(f"{fate} {{n}} 批", f"{{n}} {fate}") for fate in losses if fate not in LOST}


def _list(texts: Mapping[str, Text], fates: Mapping[str, int]) -> Text | None:
    found = [text.format(n=count(fates[fate])) for fate, text in texts.items() if fate in fates]
    return join(found, zh="、", en=", ") if found else None


PATTERN = "pattern "
"""How the source that names the rules of a protected panel begins."""
HIDDEN = "…"
"""What stands where a value is withheld; never 0, never empty."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Withheld:
    """Which cells of a panel are withheld, and by which rules.

    Parameters
    ----------
    edition : str
        Id and version of the rules: ``cn_default-1``.
    cells : frozenset of (str, str)
        Entity and code of the period. That a cell is withheld is no secret: a reader sees the mark in its place.

    Examples
    --------
    >>> from qbase.core import Withheld
    >>> gone = Withheld(edition="cn_default-1", cells=frozenset({("K002", "2025Q3"), ("K002", "2025Q4")}))
    >>> gone.of("K002"), gone.of("K001")
    (('2025Q3', '2025Q4'), ())
    >>> print(gone.say("K002").en)
    Counts of 2 periods, the latest 2025 Q4, are withheld (…) under preset cn_default.
    """

    edition: str
    cells: frozenset[tuple[str, str]] = frozenset()

    @property
    def preset(self) -> str:
        """Id of the rules."""
        return self.edition.rpartition("-")[0]

    @property
    def by(self) -> Text:
        """The rules in words."""
        return Text(f"披露规则 {self.preset}", f"preset {self.preset}")

    def of(self, entity: str | None) -> tuple[str, ...]:
        """Return the codes of the periods withheld of an entity, in order; of all together none is."""
        return tuple(sorted(period for own, period in self.cells if own == entity))

    def say(self, entity: str | None) -> Text:
        """Say how many periods of an entity are withheld; empty for none."""
        gone = self.of(entity)
        if not gone:
            return Text("", "")
        last = periods.label(periods.parse_period(gone[-1], "Q" if "Q" in gone[-1] else "A"))
        if len(gone) == 1:
            zh, en = f"{last.zh}的计数", f"The counts of {last.en}"
        else:
            zh = f"{count(len(gone))} 期（最近为 {last.zh}）的计数"
            en = f"Counts of {count(len(gone))} periods, the latest {last.en},"
        return Text(f"{zh}按{self.by.zh}不公开（{HIDDEN}）。", f"{en} are withheld ({HIDDEN}) under {self.by.en}.")
