"""Small frozen values everybody speaks: where a number comes from, what it measures, how sure it is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, NoReturn, TypeVar, get_args

from qbase.core.errors import DataError
from qbase.core.given import check_day, check_margin, check_unit, check_word, read_bounds, read_text
from qbase.core.text import Text

Key = str | int | float
Uncertainty = Literal["design", "model", "randomisation", "none_full_count", "none_too_few"]
WITHOUT_INTERVAL = frozenset({"none_full_count", "none_too_few"})
Better = Literal["up", "down", "none"]
Role = Literal["outcome", "instrument", "context"]
Grade = Literal["strong", "moderate", "limited"]

INSTRUMENTS = tuple(f"W{i}" for i in range(1, 8))
"""The seven kinds of work a policy consists of, by the numbers of the policy text."""
MOST_INSTRUMENTS = 2
"""A plan may single out no more: what seven looks find by chance is no finding."""

K = TypeVar("K")
T = TypeVar("T")


class ReadOnly(dict[K, T]):
    """A dict that refuses changes; unlike `types.MappingProxyType` it pickles and goes to JSON."""

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError("values of the house are frozen; build a new one")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (dict(self),))


def freeze(mapping: Mapping[K, T]) -> ReadOnly[K, T]:
    """Return a read-only copy of a mapping."""
    return ReadOnly(mapping)


EMPTY: ReadOnly[str, Any] = freeze({})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """What a number rests on.

    Parameters
    ----------
    path : str
        File name as received (never an absolute path) or the name of a table.
    sha256 : str
        Of the bytes received; empty for a table of the lake.
    producer, licence : str
        Who made it, and under which terms.
    retrieved_on : str
        ISO date, or empty when unknown.
    snapshot : str
        Snapshot of the lake it was read from, ``S0003``; empty outside the lake.
    title : Text or None
        Name of a table for readers.

    Examples
    --------
    >>> from qbase.core import Source, Text
    >>> source = Source(path="inspections", snapshot="S0003", title=Text("监督抽查", "Supervision inspections"))
    >>> source.label.zh, source.snapshot
    ('监督抽查', 'S0003')
    """

    path: str
    sha256: str = ""
    producer: str = ""
    retrieved_on: str = ""
    licence: str = ""
    snapshot: str = ""
    title: Text | None = None

    @property
    def label(self) -> Text:
        """Name for readers: the title of a table, or the path."""
        return self.title or Text(self.path, self.path)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Indicator:
    """One definition of a measured quality, for SQL, labels, axes and tables.

    Parameters
    ----------
    id : str
        ``D1.batch``: the part before the dot is the clause's line in the catalogue.
    clause : str
        The clause of the policy text it measures; empty when it measures none.
    name : Text
        Name in Chinese and English.
    unit : str
        A key of `qbase.core.numbers.UNITS`: ``pct``, ``count``, ``log_points`` …
    better : {"up", "down", "none"}
        Which direction is an improvement.
    role : {"outcome", "instrument", "context"}
        Role in the evaluation.
    formula : str
        In words or SQL.
    counted : str
        What its n counts, a key of `qbase.core.numbers.UNITS`: ``batch``, ``firm``.
    short : Text or None
        Shorter name for sentences and headlines, where ``name`` tells a whole method; see `label`.
    bounds : tuple of float or None
        Lowest and highest value there can be; None takes what the unit can hold, such as 0 to 100 percent. A rate of
        change has ``(-100, math.inf)``.

    Raises
    ------
    UsageError
        A word of unit, better, role or counted is not known, a name is no text, or bounds are none (QB144).

    Examples
    --------
    >>> from qbase.core import Indicator, Text
    >>> name, short = Text("监督抽查批次合格率", "Batch pass rate of inspections"), Text("合格率", "pass rate")
    >>> rate = Indicator(id="D1.batch", name=name, short=short, unit="pct", better="up")
    >>> rate.label.en, rate.unit, rate.counted
    ('pass rate', 'pct', 'batch')
    """

    id: str
    name: Text
    unit: str
    better: Better
    role: Role = "outcome"
    clause: str = ""
    formula: str = ""
    counted: str = "batch"
    short: Text | None = None
    bounds: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for option, known in (("better", get_args(Better)), ("role", get_args(Role))):
            check_word(option, getattr(self, option), known)
        for option in ("unit", "counted"):
            check_unit(option, getattr(self, option))
        object.__setattr__(self, "name", read_text("name", self.name))
        if self.short is not None:
            object.__setattr__(self, "short", read_text("short", self.short))
        if self.bounds is not None:
            object.__setattr__(self, "bounds", read_bounds(self.bounds))

    @property
    def label(self) -> Text:
        """Name in sentences, headlines and on axes."""
        return self.short or self.name


@dataclasses.dataclass(frozen=True, kw_only=True)
class Margin:
    """The largest difference that does not matter, with the day it was declared and who declared it.

    Parameters
    ----------
    value : float
        Above 0, in the unit of the result.
    source : Text
        Who said so, and where.
    declared_on : str
        ISO date: a margin is declared before looking.

    Raises
    ------
    UsageError
        The value is no finite number above 0 (QB507), the source is no text (QB144), or the day is none (QB148).

    Examples
    --------
    >>> from qbase.core import Margin, Text
    >>> margin = Margin(value=2.0, source=Text("评价方案第 4 条", "evaluation plan, item 4"), declared_on="2022-05-01")
    >>> margin.value, margin.declared_on
    (2.0, '2022-05-01')
    """

    value: float
    source: Text
    declared_on: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", check_margin(self.value))
        object.__setattr__(self, "source", read_text("source", self.source))
        check_day("declared_on", self.declared_on)

    def settings(self) -> dict[str, Any]:
        """Return what a result says of it in its settings."""
        return {"margin": self.value, "margin_source": self.source.payload(), "margin_declared_on": self.declared_on}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its doubt.

    Parameters
    ----------
    term : str
        ``rate``, ``att``, ``change`` …
    key : mapping
        What the term is about: entity, period, event_time, group …
    value : float
        In the unit of the result.
    std_error, ci_low, ci_high : float or None
        Same unit; absent only for a full count.
    joint_low, joint_high : float or None
        Simultaneous interval over the terms of one family.
    tost_low, tost_high : float or None
        90 % interval of two one-sided tests: what a dated margin is compared with.
    ci_level : float
        0.95 unless said otherwise.
    p_value : float or None
        Two-sided, against 0.
    n_obs, n_clusters : int or None
        Observations behind it; groups of the clustered covariance.
    n_treated : int or None
        Treated entities behind an effect.
    n_cells : int or None
        Treated cells (entity × period) behind it.
    n_effective : float or None
        Effective number of treated entities: 1 / Σ share², by their weights.
    p_floor : float or None
        Smallest p value the permutations could have given.
    uncertainty : {"design", "model", "randomisation", "none_full_count", "none_too_few"}
        Kind of doubt. ``none_full_count`` says that everything was counted, ``none_too_few`` that too few treated
        entities stand behind the number for any interval: it is described, and has no verdict.

    Raises
    ------
    DataError
        The interval is missing though it is not a full count, a standard error is 0 or negative,
        a number is not finite, the level is none, or the value lies outside its interval (QB110).
    UsageError
        The kind of doubt is none (QB144).

    Examples
    --------
    >>> from qbase.core import Estimate
    >>> change = Estimate(term="change", value=1.8, ci_low=-21.8, ci_high=26.0, n_obs=42, key={"entity": "K003"})
    >>> change.covers_zero
    True
    >>> Estimate(term="rate", value=93.3)
    Traceback (most recent call last):
        ...
    qbase.core.errors.DataError: error[QB110] estimate rate has no sound interval
      found     no interval
      expected  a finite value inside a finite interval, standard error above 0 or absent
      to fix    report the term as missing, or as a full count where everything was counted
    """

    term: str
    value: float
    key: Mapping[str, Key] = dataclasses.field(default_factory=dict)
    std_error: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    joint_low: float | None = None
    joint_high: float | None = None
    tost_low: float | None = None
    tost_high: float | None = None
    ci_level: float = 0.95
    p_value: float | None = None
    n_obs: int | None = None
    n_clusters: int | None = None
    n_treated: int | None = None
    n_cells: int | None = None
    n_effective: float | None = None
    p_floor: float | None = None
    uncertainty: Uncertainty = "model"

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", freeze(self.key))
        check_word("uncertainty", self.uncertainty, get_args(Uncertainty))
        fault = _fault(self)
        if fault:
            raise DataError(
                "QB110",
                term=self.term,
                found=fault,
                expected="a finite value inside a finite interval, standard error above 0 or absent",
                fix="report the term as missing, or as a full count where everything was counted",
            )

    @property
    def covers_zero(self) -> bool:
        """Whether the interval covers 0 (False for a full count that is not 0, True where no interval can be given)."""
        if self.ci_low is None or self.ci_high is None:
            return self.value == 0 or self.uncertainty == "none_too_few"
        return self.ci_low <= 0 <= self.ci_high

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            field.name: dict(self.key) if field.name == "key" else getattr(self, field.name)
            for field in dataclasses.fields(self)
        }


def _fault(e: Estimate) -> str:
    numbers = [e.value, e.std_error, e.ci_low, e.ci_high, e.joint_low, e.joint_high, e.tost_low, e.tost_high, e.p_value]
    if any(x is not None and not math.isfinite(x) for x in numbers):
        return "a number that is not finite"
    if e.std_error is not None and e.std_error <= 0:
        return f"std_error = {e.std_error:g}"
    if not 0 < e.ci_level < 1:
        return f"ci_level = {e.ci_level:g}"
    if (e.ci_low is None) != (e.ci_high is None):
        return "half an interval"
    if e.ci_low is None or e.ci_high is None:
        return "" if e.uncertainty in WITHOUT_INTERVAL else "no interval"
    slack = 1e-9 * max(1.0, abs(e.value))
    if not e.ci_low - slack <= e.value <= e.ci_high + slack:
        return f"value {e.value:g} outside {e.ci_low:g} to {e.ci_high:g}"
    return ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckResult:
    """A check that says in words what it found.

    Parameters
    ----------
    name : str
        ``enough_clusters`` …
    passed : bool or None
        None is for information only.
    text : Text
        One sentence per language.
    table : object or None
        An optional `pandas.DataFrame` behind it.

    Examples
    --------
    >>> from qbase.core import CheckResult, Text
    >>> text = Text("只有 6 个产业集群", "only 6 clusters")
    >>> CheckResult(name="enough_clusters", passed=False, text=text).payload()
    {'name': 'enough_clusters', 'passed': False, 'text': {'zh': '只有 6 个产业集群', 'en': 'only 6 clusters'}}
    """

    name: str
    passed: bool | None
    text: Text
    table: Any = None

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": self.name, "passed": self.passed, "text": self.text.payload()}
