"""The options all effects share, checked before anything is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel
from qbase.core.text import Text
from qbase.effects.comparison.effect_words import treated_text
from qbase.effects.comparison.treated_and_controls import Design, Weights
from qbase.effects.fitting.two_way_fit import Errors, Fit, Floats, SmallSample, fit_two_way

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
        Level outside 0.5 to 1 (QB503), unknown standard errors or small-sample factor (QB519).
    """
    if not 0.5 <= level < 1:
        raise UsageError("QB503", level=level, found=f"level={level}", expected="0.5 <= level < 1", fix="level=0.95")
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
        margin=margin,
        subject=treated_text(panel.entity) if subject is None else subject,
    )


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
