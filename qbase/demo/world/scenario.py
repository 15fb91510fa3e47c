"""What may be switched in the fictional province, how large it is, and its random streams.

Examples
--------
>>> from qbase.demo import CLOSED_ON, PRODUCER, SEED
>>> PRODUCER, SEED, CLOSED_ON
('云泽省（虚构，模拟数据）/ Yunze (fictional, simulated)', 20220810, '2026-01-31')
"""

from __future__ import annotations

import dataclasses
import zlib
from typing import Literal

import numpy as np

from qbase.core.errors import UsageError

Size = Literal["small", "province", "nation"]
EffectShape = Literal["none", "homogeneous", "dynamic"]

SEED = 20220810
PRODUCER = "云泽省（虚构，模拟数据）/ Yunze (fictional, simulated)"
FIRST_YEAR = 2016
N_YEARS = 10
N_QUARTERS = 4 * N_YEARS
LAST_DAY = "2025-12-31"
CLOSED_ON = "2026-01-31"
"""The last results of the last quarter were published a few days before; nothing is sent after it."""

ALPHA_MEAN, ALPHA_SD = 2.1, 0.45
SIZE_LOGIT = (0.0, 1.5, 2.4)
SIZE_SHARE = (0.86, 0.10, 0.04)
FIRM_SD = 0.8
KAPPA = 0.4
LAB_SD = 0.25
STANDARD_LOGIT = -0.35
STANDARD_QUARTER = 20
TREND_MEAN, TREND_SD = 0.0, 0.04
SEASON_LOGIT = 0.12
SELECTION_LOGIT = 0.1
RAMP_QUARTERS = 6
SME_FACTOR, LARGE_FACTOR = 1.2, 0.5
DOSE_SLOPES = {2: 0.15, 5: 0.15, 6: 0.10}
COHORT_LOGIT = {14: 0.9, 18: 0.7, 22: 0.5, 26: 0.4, 34: 0.4}
SEED_COHORT = 26
LATE_COHORT = 34
PLACEBO_QUARTER = 16
RISK_SLOPE = 0.7
RANDOM_SHARE, RANDOM_SHARE_AFTER = 0.35, 0.70
COMPLAINT_SHARE, SPECIAL_SHARE = 0.05, 0.03
EXIT_HAZARD, ENTRY_HAZARD = 0.01, 0.012
MOVE_HAZARD = 1 - (1 - 0.03) ** 0.25
MERGE_HAZARD = 1 - (1 - 0.01) ** 0.25
RENAME_HAZARD = 0.04
LOW_PASS = 0.8
NO_SAMPLE_SHARE = 0.08
LOST_COUNTY, LOST_QUARTER = 4, 9
ACCEPTANCE_DELAY = 12
ALLIANCE_DELAY, ALLIANCE_LOGIT = 4, -0.3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scenario:
    """Switches of the generator; the default is the province as `domain.md` describes it.

    Parameters
    ----------
    effect : {"none", "homogeneous", "dynamic"}
        Nothing; the same ``effect_logit`` for every firm from the first quarter; or ramps that
        differ by cohort, size and dose.
    effect_logit : float
        Of the homogeneous effect.
    take_up_share : float
        Share of firms in treated clusters that enrol; the others feel nothing.
    anticipation_logit : float
        In the quarter before adoption.
    spillover_logit, displacement_logit : float
        Times the share of treated clusters of the same industry; in untreated towns beside treated ones.
    has_sampling_shift : bool
        The share of random draws doubles after adoption.
    n_treated : int or None
        Keep only so many treated clusters (1, 2, 4, 8); the seed's own is the first.
    pretrend_logit : float
        Extra slope per quarter of the treated, whatever the policy does.
    selection_logit : float
        Transitory good fortune in the quarters -4 to -2 before adoption.
    rho : float
        Correlation within a batch family (cluster, quarter, product).
    is_all_treated : bool
        The never-treated adopt in 2024Q3.
    has_churn, has_standard_change : bool
        Firms enter, leave, merge and move; two standards are tightened in 2021Q1.
    has_hidden_risk : bool
        Directed draws follow the firm's true weakness, which the frame does not show.
    has_class_fractions : bool
        Random draws take a fraction that depends on the risk class.
    has_stale_frame : bool
        The frame counts the firms of a year ago.
    has_endogenous_risk : bool
        Risk classes are rebuilt every year from results the policy changed.
    has_level_split : bool
        The weaker product of each industry is drawn by the province only.
    has_followup_samples : bool
        Past failures are followed up by samples of a type of their own.
    has_alliance_standard : bool
        Treated clusters tighten their own standard a year after adoption.
    has_item_growth : bool
        Items tested per batch grow from year to year.
    has_late_failures : bool
        Failures are published later than passes.
    has_gaming : bool
        Before acceptance easy firms, products and laboratories are chosen.

    Raises
    ------
    UsageError
        A share outside 0..1 or fewer than one treated cluster (QB371).

    Examples
    --------
    >>> from qbase.demo import Scenario
    >>> nothing = Scenario(effect="none", has_churn=False)
    >>> nothing.effect, nothing.take_up_share, nothing.has_churn
    ('none', 0.7, False)
    >>> Scenario(take_up_share=70)
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB371] scenario switch take_up_share has an impossible value
      found     take_up_share=70
      expected  a share from 0 to 1
      to fix    Scenario(take_up_share=…)
    """

    effect: EffectShape = "dynamic"
    effect_logit: float = 0.6
    take_up_share: float = 0.7
    anticipation_logit: float = 0.1
    spillover_logit: float = 0.08
    displacement_logit: float = -0.05
    has_sampling_shift: bool = True
    n_treated: int | None = None
    pretrend_logit: float = 0.0
    selection_logit: float = SELECTION_LOGIT
    rho: float = 0.02
    is_all_treated: bool = False
    has_churn: bool = True
    has_standard_change: bool = True
    has_hidden_risk: bool = False
    has_class_fractions: bool = False
    has_stale_frame: bool = False
    has_endogenous_risk: bool = False
    has_level_split: bool = False
    has_followup_samples: bool = False
    has_alliance_standard: bool = False
    has_item_growth: bool = False
    has_late_failures: bool = False
    has_gaming: bool = False

    def __post_init__(self) -> None:
        for name in ("take_up_share", "rho"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise _bad_switch(name, value, "a share from 0 to 1")
        if self.n_treated is not None and self.n_treated < 1:
            raise _bad_switch("n_treated", self.n_treated, "1 or more, or None")
        if self.effect not in ("none", "homogeneous", "dynamic"):
            raise _bad_switch("effect", self.effect, "none, homogeneous or dynamic")


def _bad_switch(name: str, value: object, expected: str) -> UsageError:
    return UsageError("QB371", name=name, found=f"{name}={value!r}", expected=expected, fix=f"Scenario({name}=…)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dimensions:
    """How large one province is.

    Parameters
    ----------
    n_counties, n_towns, n_clusters, n_industries : int
        Of the province.
    n_start_firms : int
        Mean number of firms per cluster in 2016Q1.
    mean_extra : float
        Batches per cluster-quarter are 4 + Poisson(mean_extra x size of the cluster).
    cohorts : mapping
        Adoption quarter (0 = 2016Q1) -> treated clusters.
    n_placebo : int
        Clusters with a document and nothing else.
    """

    n_counties: int
    n_towns: int
    n_clusters: int
    n_industries: int
    n_start_firms: int
    mean_extra: float
    cohorts: tuple[tuple[int, int], ...]
    n_placebo: int


DIMENSIONS = {
    "small": Dimensions(
        n_counties=3, n_towns=14, n_clusters=12, n_industries=10, n_start_firms=60, mean_extra=13.0,
        cohorts=((14, 1), (18, 1), (22, 1), (26, 2)), n_placebo=2,
    ),
    "province": Dimensions(
        n_counties=6, n_towns=40, n_clusters=36, n_industries=30, n_start_firms=60, mean_extra=13.0,
        cohorts=((14, 4), (18, 4), (22, 4), (26, 3)), n_placebo=4,
    ),
    "nation": Dimensions(
        n_counties=6, n_towns=130, n_clusters=264, n_industries=30, n_start_firms=80, mean_extra=29.0,
        cohorts=((14, 30), (18, 30), (22, 30), (26, 20)), n_placebo=24,
    ),
}  # fmt: skip


def read_dimensions(size: str) -> Dimensions:
    """Return the dimensions of a size.

    Raises
    ------
    UsageError
        There is no such size (QB370).
    """
    if size not in DIMENSIONS:
        names = ", ".join(DIMENSIONS)
        raise UsageError("QB370", size=size, found=repr(size), expected=names, fix="qbase demo --size small")
    return DIMENSIONS[size]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Streams:
    """Random streams by name: a table added tomorrow shifts none of today's."""

    seed: int
    part: int = 0

    def rng(self, name: str, index: int = 0) -> np.random.Generator:
        """Return the generator of one name (and one quarter or year)."""
        key = (zlib.crc32(name.encode()), self.part, index)
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


def quarter_code(t: int) -> str:
    """Return ``2022Q3`` for quarter 26 (0 = 2016Q1)."""
    return f"{FIRST_YEAR + t // 4}Q{t % 4 + 1}"
