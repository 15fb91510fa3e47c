"""The options all effects share, checked before anything is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from qbase.core.errors import DataError, UsageError
from qbase.core.given import check_margin, read_text, read_whole
from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.effects.comparison.effect_words import treated_text
from qbase.effects.comparison.treated_and_controls import Design, Weights
from qbase.effects.fitting.two_way_fit import Errors, Fit, Floats, SmallSample, fit_two_way
from qbase.stats.rates.difference_intervals import check_level

Vcov = Literal["iid"] | Mapping[str, str]

SMALL_SAMPLE: tuple[SmallSample, ...] = ("fixest", "linearmodels")


def read_vcov(vcov: Vcov | None, panel: Panel) -> Errors:
    """Return the kind of standard errors; None clusters by entity.

    Raises
    ------
    UsageError
        Neither ``"iid"`` nor ``{"CRV1": <entity of the panel>}`` (QB519).
    """
    if vcov is None or vcov == {"CRV1": panel.entity}:
        return "CRV1"
    if vcov == "iid":
        return "iid"
    raise UsageError(
        "QB519",
        option="vcov",
        value=vcov,
        found=f"vcov={vcov!r}",
        expected=f'"iid" | {{"CRV1": "{panel.entity}"}}',
        fix=f'vcov={{"CRV1": "{panel.entity}"}}',
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of one estimate, checked: see `qbase.effects.estimate_twfe`."""

    outcome: str
    errors: Errors
    small_sample: SmallSample
    weights: Weights | None
    level: float
    margin: float | None
    subject: Text

    @property
    def is_weighted(self) -> bool:
        """Whether rows weigh by batches tested."""
        return self.weights is not None


def read_options(
    panel: Panel,
    outcome: str,
    *,
    vcov: Vcov | None,
    weights: Weights | None,
    small_sample: SmallSample,
    level: float,
    margin: float | None,
    subject: Text | None,
) -> Options:
    """Check the options all effects share.

    Raises
    ------
    UsageError
        Level outside 0.5 to 1 (QB503), a margin that is none (QB507), unknown standard errors or small-sample factor
        (QB519), a subject that is no text (QB144).
    """
    check_level(level)
    if small_sample not in SMALL_SAMPLE:
        raise UsageError(
            "QB519",
            option="small_sample",
            value=small_sample,
            found=f"small_sample={small_sample!r}",
            expected=" | ".join(SMALL_SAMPLE),
            fix='small_sample="fixest"',
        )
    return Options(
        outcome=outcome,
        errors=read_vcov(vcov, panel),
        small_sample=small_sample,
        weights=weights,
        level=level,
        margin=check_margin(margin),
        subject=treated_text(panel.entity) if subject is None else read_text("subject", subject),
    )


def read_count(option: str, given: object, *, least: int | None = 0, example: str = "4") -> int:
    """Return a whole number of periods, or a seed; 3.0 is 3.

    Parameters
    ----------
    option : str
        Its name.
    given : object
        As it was handed over.
    least : int or None
        The smallest that can be meant.
    example : str
        One that could have been given.

    Raises
    ------
    UsageError
        It is no whole number, or a smaller one (QB519).
    """
    whole = read_whole(given)
    if whole is None or (least is not None and whole < least):
        raise UsageError(
            "QB519",
            option=option,
            value=given,
            found=f"{option}={given!r}",
            expected="a whole number" + ("" if least is None else f", {least} or more"),
            fix=f"{option}={example}",
        )
    return whole


def refuse_single_treated(design: Design, errors: Errors) -> None:
    """Raise when one treated entity is to carry a clustered standard error.

    The scores of the treated entity and of all others then sum to zero, so the clustered variance of the effect
    holds almost nothing of the treated entity's own noise (MacKinnon and Webb 2017).

    Raises
    ------
    DataError
        One treated entity with CRV1 (QB522).
    """
    if errors == "CRV1" and len(design.treated) == 1:
        raise DataError(
            "QB522",
            found=f"1 treated entity ({design.treated[0]}), {len(design.comparison)} for comparison",
            expected="at least 2 treated entities",
            fix=f"estimate_change(panel, …, entity={design.treated[0]!r}) describes it without claiming an effect",
        )


def fit_design(design: Design, dummies: Mapping[str, Floats], options: Options) -> Fit:
    """Fit a design as the options say; see `qbase.effects.fitting.two_way_fit.fit_two_way`."""
    return fit_two_way(
        design,
        dummies,
        errors=options.errors,
        small_sample=options.small_sample,
        weighted=options.is_weighted,
    )
