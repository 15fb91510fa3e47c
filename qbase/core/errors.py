"""Errors that end a user's search: what, found, expected, to fix; a code; an exit code."""

from __future__ import annotations

import functools
from typing import Literal

Lang = Literal["zh", "en"]

LABELS = {
    "en": ("error", "found", "expected", "to fix"),
    "zh": ("错误", "实际", "应为", "办法"),
}


@functools.cache
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


class RunError(QbaseError):
    """A report was run and did not come out well."""

    exit_code = 1


class UsageError(QbaseError):
    """The words of the call are wrong; nothing was started."""

    exit_code = 2


class DataError(QbaseError):
    """The data cannot carry what was asked of them."""

    exit_code = 3


class PanelError(DataError):
    """A panel breaks its promise."""


class PolicyError(DataError):
    """A policy cannot be matched with its panel, or not with this estimator."""


class SetupError(QbaseError):
    """The machine or the workspace lacks something."""

    exit_code = 4


EXIT_CODES = {0: "ok", 1: "report failed", 2: "usage", 3: "data", 4: "environment"}
