"""Presets of disclosure control: what a shown count asks of the firms behind it, with the source of each rule."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from qbase.core.errors import DataError, UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.text import Text

ROOM = "qbase.release.disclosing"
NEVER = "never"
_TEXTS = ("id", "zh", "en", "source_zh", "source_en")
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "version": (1, 10_000),
    "fewest_firms": (2, 1_000),
    "fewest_counted": (0, 1_000),
    "largest": (0, 2),
    "largest_percent": (0, 100),
    "p_percent": (0, 100),
    "fewest_freedom": (0, 1_000),
    "whole_from_firms": (1, 100_000),
    "round_to": (1, 100),
    "protection_percent": (0, 100),
    "protection_least": (1, 1_000),
}
_DECIMAL = ("largest_percent", "p_percent", "protection_percent")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DisclosurePreset:
    """Rules of disclosure control.

    Parameters
    ----------
    preset_id : str
        Stem of its file.
    version : int
        Raised when a rule changes.
    title, source : Text
        Its name, and where the rules are written.
    fewest_firms : int
        Fewest firms behind a shown cell.
    fewest_counted : int
        Smallest count shown, of batches, passes and failures alike; 0 for none.
    largest, largest_percent : int, float
        Dominance: the so many largest firms hold no more than so many percent of the batches; 0 for no such rule.
    p_percent : float
        The second largest firm cannot estimate the largest within so many percent; 0 for no such rule.
    fewest_freedom : int
        Fewest residual degrees of freedom of a coefficient.
    whole_from_firms : int or None
        A rate of 0 % or 100 % is shown from so many firms on; None for never.
    round_to : int
        Base that what is shown is rounded to; 1 for none.
    protection_percent : float
        Of the value of a primary cell: what is known of it from all that is shown is at least so wide.
    protection_least : int
        At least so wide, of every withheld cell.

    Examples
    --------
    >>> from qbase.release import read_disclosure_preset
    >>> rules = read_disclosure_preset("cn_default")
    >>> rules.fewest_firms, rules.largest, rules.largest_percent, rules.p_percent
    (3, 1, 75.0, 10.0)
    """

    preset_id: str
    version: int
    title: Text
    source: Text
    fewest_firms: int
    fewest_counted: int
    largest: int
    largest_percent: float
    p_percent: float
    fewest_freedom: int
    whole_from_firms: int | None
    round_to: int
    protection_percent: float
    protection_least: int

    @property
    def edition(self) -> str:
        """Id and version, by which a stored pattern is told apart: ``cn_default-1``."""
        return f"{self.preset_id}-{self.version}"


def list_disclosure_presets() -> list[str]:
    """Return the ids of the presets that ship with qbase.

    Examples
    --------
    >>> from qbase.release import list_disclosure_presets
    >>> list_disclosure_presets()
    ['cn_default', 'opensafely', 'sacro']
    """
    folder = resources.files(ROOM).joinpath("presets")
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


@functools.cache
def read_disclosure_preset(preset_id: str = "cn_default") -> DisclosurePreset:
    """Read a preset.

    Parameters
    ----------
    preset_id : str
        ``cn_default``, ``opensafely`` or ``sacro``.

    Returns
    -------
    DisclosurePreset

    Raises
    ------
    UsageError
        There is none of that id (QB753).
    DataError
        Its file has a key that is none, lacks one, or holds a value that cannot be (QB754).

    Examples
    --------
    >>> from qbase.release import read_disclosure_preset
    >>> rules = read_disclosure_preset("opensafely")
    >>> rules.fewest_counted, rules.round_to, rules.whole_from_firms is None
    (8, 5, True)
    """
    known = list_disclosure_presets()
    if preset_id not in known:
        raise UsageError(
            "QB753",
            preset=preset_id,
            found=repr(preset_id),
            expected=" | ".join(known),
            fix=suggest_names(preset_id, known),
        )
    file = resources.files(ROOM).joinpath("presets", f"{preset_id}.toml")
    return parse_disclosure_preset(tomllib.loads(file.read_text(encoding="utf-8")), name=preset_id)


def parse_disclosure_preset(raw: Mapping[str, Any], *, name: str) -> DisclosurePreset:
    """Turn the content of a preset's file into a preset.

    Parameters
    ----------
    raw : mapping
        Keys and values of the file.
    name : str
        Stem of the file.

    Raises
    ------
    DataError
        A key is unknown or missing, or a value cannot be (QB754).
    """
    known = (*_TEXTS, *_BOUNDS)
    for key in raw:
        if key not in known:
            raise _bad(
                name, f"{key} = {raw[key]!r}", suggest_names(key, known), f"take out {key}, or spell it as above"
            )
    for key in known:
        if key not in raw:
            raise _bad(name, f"no {key}", ", ".join(known), f"add {key} = …")
    for key in _TEXTS:
        if not isinstance(raw[key], str) or not raw[key].strip():
            raise _bad(name, f"{key} = {raw[key]!r}", "a text", f'{key} = "…"')
    if raw["id"] != name:
        raise _bad(name, f"id = {raw['id']!r}", f"id = {name!r}", "name the file after its id")
    numbers = {key: _number(name, key, raw[key]) for key in _BOUNDS}
    return DisclosurePreset(
        preset_id=name,
        title=Text(raw["zh"], raw["en"]),
        source=Text(raw["source_zh"], raw["source_en"]),
        **numbers,
    )


def _number(name: str, key: str, value: Any) -> Any:
    if key == "whole_from_firms" and value == NEVER:
        return None
    low, high = _BOUNDS[key]
    kinds = (int, float) if key in _DECIMAL else (int,)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        also = f' or "{NEVER}"' if key == "whole_from_firms" else ""
        what = "a number" if key in _DECIMAL else "a whole number"
        raise _bad(name, f"{key} = {value!r}", f"{what} from {low} to {high}{also}", f"{key} = {low:g}")
    return float(value) if key in _DECIMAL else value


def _bad(name: str, found: str, expected: str, fix: str) -> DataError:
    return DataError("QB754", preset=name, found=found, expected=expected, fix=fix)
