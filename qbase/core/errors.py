"""Errors that end a user's search: what, found, expected, to fix; a code; an exit code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal, cast

from qbase.core.lazy import read_once

Lang = Literal["zh", "en"]

LABELS = {
    "en": ("error", "found", "expected", "to fix"),
    "zh": ("错误", "实际", "应为", "办法"),
}


@read_once
def read_codes() -> dict[str, dict[str, str]]:
    """Read the catalogue of error codes: one TOML file per storey under ``core/codes``.

    Returns
    -------
    dict of str to dict
        Code -> ``what_zh``, ``what_en`` (templates), ``meaning_zh``, ``meaning_en``.
    """
    # read only when something went wrong: a call that ends well does not pay for the readers
    import tomllib
    from importlib import resources

    catalogue: dict[str, dict[str, str]] = {}
    for file in sorted(resources.files("qbase.core.codes").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".toml"):
            catalogue.update(tomllib.loads(file.read_text(encoding="utf-8")))
    return catalogue


class QbaseError(Exception):
    """Root of the tree; raise one of its children.

    Parameters
    ----------
    code : str
        A code of the catalogue, ``QB803``; its template gives the first line.
    found, expected, fix : str
        The other three lines.
    **fields : object
        Values for the placeholders of the template.

    Examples
    --------
    >>> from qbase.core import DataError, QbaseError
    >>> try:
    ...     raise DataError("QB130", policy="kiln_grants", found="[[firm]]", expected="[[spell]]", fix="add it")
    ... except QbaseError as error:
    ...     print(error.render("zh"))
    错误[QB130] 政策 kiln_grants 没有处理对象
      实际    [[firm]]
      应为    [[spell]]
      办法    add it
    """

    exit_code = 1

    def __init__(self, code: str, *, found: str, expected: str, fix: str, **fields: object) -> None:
        self.code = code
        self.found, self.expected, self.fix = found, expected, fix
        entry = read_codes()[code]
        self.what_zh = entry["what_zh"].format_map(fields)
        self.what_en = entry["what_en"].format_map(fields)
        super().__init__(code, self.what_en, found, expected, fix)

    def __str__(self) -> str:
        return self.render("en")

    def __reduce__(self) -> tuple[object, ...]:
        state = dict(self.__dict__)
        return (_restore, (type(self), state))

    def render(self, lang: Lang = "en") -> str:
        """Return the four lines in one language."""
        error, found, expected, fix = LABELS[lang]
        what = self.what_zh if lang == "zh" else self.what_en
        pad = 9 if lang == "en" else 5
        lines = [f"{error}[{self.code}] {what}"]
        for label, text in ((found, self.found), (expected, self.expected), (fix, self.fix)):
            lines.append(f"  {label:<{pad}} {text}")
        return "\n".join(lines)

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows: the four lines; ``QBASE_DEBUG=1`` adds the way there."""
        if os.environ.get("QBASE_DEBUG") == "1":
            import traceback

            return traceback.format_exception(self)
        return self.render("en" if os.environ.get("QBASE_LANG", "zh").startswith("en") else "zh").splitlines()

    def payload(self) -> dict[str, str]:
        """Return the error as plain values, for ``--json`` and the run record."""
        return {
            "code": self.code,
            "what_zh": self.what_zh,
            "what_en": self.what_en,
            "found": self.found,
            "expected": self.expected,
            "fix": self.fix,
        }


def _restore(cls: type[QbaseError], state: dict[str, object]) -> QbaseError:
    error = cls.__new__(cls)
    Exception.__init__(error, state["code"], state["what_en"])
    error.__dict__.update(state)
    return error


def read_error(payload: Mapping[str, str]) -> RunError:
    """Return the error that the record of a failed run holds."""
    state = {name: payload[name] for name in ("code", "what_zh", "what_en", "found", "expected", "fix")}
    return cast("RunError", _restore(RunError, dict(state)))


class RunError(QbaseError):
    """A report was run and did not come out well.

    Examples
    --------
    >>> from qbase.core import RunError
    >>> error = RunError("QB813", report="quality_trends", found="612 s", expected="600 s", fix="raise limits.seconds")
    >>> error.exit_code, error.what_en
    (1, 'report "quality_trends" took too long')
    """

    exit_code = 1


class UsageError(QbaseError):
    """The words of the call are wrong; nothing was started.

    Examples
    --------
    >>> from qbase.tables import build_uscc
    >>> build_uscc("99002310", "MA1")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB154] no credit code can be built from these parts
      found     '99002310' and 'MA1'
      expected  2 characters and 6 digits, then 8 characters of 0123456789ABCDEFGHJKLMNPQRTUWXY
      to fix    91990102 and MA000001, for example
    """

    exit_code = 2


class DataError(QbaseError):
    """The data cannot carry what was asked of them.

    Examples
    --------
    >>> from qbase.core import DataError, Estimate
    >>> try:
    ...     Estimate(term="rate", value=93.3)
    ... except DataError as error:
    ...     error.code, error.found, error.exit_code
    ('QB110', 'no interval', 3)
    """

    exit_code = 3


class PanelError(DataError):
    """A panel breaks its promise.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.core import Panel
    >>> Panel.from_frame(pd.DataFrame(), entity="cluster_id", period="period", freq="Q", indicators={})
    Traceback (most recent call last):
        ...
    qbase.core.errors.PanelError: error[QB137] no definition of an indicator was given
      found     indicators={}
      expected  {"D1.batch": Indicator(…)}
      to fix    indicators={"D1.batch": qbase.indicators.find_indicator("D1.batch").indicator}
    """


class PolicyError(DataError):
    """A policy cannot be matched with its panel, or not with this estimator.

    Examples
    --------
    >>> from qbase.core import Policy, Text
    >>> Policy(policy_id="kiln_grants", title=Text("窑炉补助", "Kiln grants"), spells=())
    Traceback (most recent call last):
        ...
    qbase.core.errors.PolicyError: error[QB130] policy kiln_grants treats nobody
      found     no treated entity
      expected  at least one spell
      to fix    add [[spell]]
    """


class SetupError(QbaseError):
    """The machine or the workspace lacks something.

    Examples
    --------
    >>> from qbase.core import SetupError
    >>> from qbase.lake import open_workspace
    >>> try:
    ...     open_workspace("nowhere")
    ... except SetupError as error:
    ...     error.code, error.exit_code, error.what_en
    ('QB201', 4, 'there is no workspace here')
    """

    exit_code = 4


EXIT_CODES = {0: "ok", 1: "report failed", 2: "usage", 3: "data", 4: "environment"}
