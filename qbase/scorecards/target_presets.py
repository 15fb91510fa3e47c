"""Presets: dated targets with their source."""

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
from qbase.indicators.catalogue.indicator_rows import find_indicator


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """A target for one indicator, in the indicator's unit, and where it is written.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.scorecards import Target
    >>> target = Target(indicator_id="D1.batch", value=96.0, source=Text("镇政府计划", "plan of the town for 2024"))
    >>> f"{target.indicator_id}: {target.value} % ({target.source.en})"
    'D1.batch: 96.0 % (plan of the town for 2024)'
    """

    indicator_id: str
    value: float
    source: Text


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """A set of targets.

    Parameters
    ----------
    preset_id : str
        Stem of its file.
    version : int
        Raised when a target changes.
    dated_on : str
        ISO date of the source.
    title : Text
        Named in every verdict.
    targets : tuple of Target
        None where the office declared no target.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.scorecards import Preset, Target
    >>> aim = Target(indicator_id="D1.batch", value=96.0, source=Text("镇政府计划", "plan of the town"))
    >>> title = Text("本镇目标", "aims of our town")
    >>> own = Preset(preset_id="town", version=1, dated_on="2024-02-01", title=title, targets=(aim,))
    >>> own.title.en, [(target.indicator_id, target.value) for target in own.targets]
    ('aims of our town', [('D1.batch', 96.0)])
    """

    preset_id: str
    version: int
    dated_on: str
    title: Text
    targets: tuple[Target, ...]


def list_presets() -> list[str]:
    """Return the ids of the presets that ship with qbase.

    Examples
    --------
    >>> from qbase.scorecards import list_presets
    >>> list_presets()
    ['no_target', 'outline_2025']
    """
    folder = resources.files("qbase.scorecards.presets")
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


@functools.cache
def read_preset(preset_id: str) -> Preset:
    """Read a preset.

    Parameters
    ----------
    preset_id : str
        ``outline_2025``.

    Raises
    ------
    UsageError
        There is none of that id (QB601), or it names an unknown indicator (QB401).
    DataError
        Its file is incomplete (QB602).

    Examples
    --------
    >>> from qbase.scorecards import read_preset
    >>> preset = read_preset("outline_2025")
    >>> preset.title.en, preset.dated_on, [(t.indicator_id, t.value) for t in preset.targets]
    ('2025 targets of the national quality outline', '2023-02-06', [('D1.batch', 94.0)])
    """
    known = list_presets()
    if preset_id not in known:
        raise UsageError(
            "QB601",
            preset=preset_id,
            found=repr(preset_id),
            expected=" | ".join(known),
            fix=suggest_names(preset_id, known),
        )
    file = resources.files("qbase.scorecards.presets").joinpath(f"{preset_id}.toml")
    return parse_preset(tomllib.loads(file.read_text(encoding="utf-8")), name=preset_id)


def parse_preset(raw: Mapping[str, Any], *, name: str) -> Preset:
    """Turn the content of a preset's file into a preset.

    Raises
    ------
    UsageError
        A target names an unknown indicator (QB401).
    DataError
        A key is missing or a target is no number (QB602).
    """
    try:
        targets = tuple(
            Target(
                indicator_id=find_indicator(row["indicator"]).indicator.id,
                value=float(row["target"]),
                source=Text(row["zh"], row["en"]),
            )
            for row in raw["target"]
        )
        return Preset(
            preset_id=raw["id"],
            version=int(raw["version"]),
            dated_on=raw["dated_on"],
            title=Text(raw["zh"], raw["en"]),
            targets=targets,
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise DataError(
            "QB602",
            preset=name,
            found=f"{type(problem).__name__}: {problem}",
            expected="id, version, dated_on, zh, en; per target: indicator, target (a number), zh, en",
            fix=f"complete presets/{name}.toml",
        ) from problem
