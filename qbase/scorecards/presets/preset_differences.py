"""What tells two presets apart."""

from __future__ import annotations

import dataclasses

import pandas as pd

from qbase.scorecards.presets.preset_files import read_preset
from qbase.scorecards.presets.preset_values import Preset, Target

COLUMNS = ["gate", "indicator", "what", "first", "second"]
HEAD = ("dated_on", "required", "bases", "due_on")


def compare_presets(first: str | Preset, second: str | Preset) -> pd.DataFrame:
    """Compare two presets, one row per difference.

    Parameters
    ----------
    first, second : str or Preset
        Ids, or presets.

    Returns
    -------
    pandas.DataFrame
        Columns gate, indicator, what (``target``, ``window``, ``level`` …), first, second; a threshold that only one
        of them has is None in the other. Gate and indicator are empty for what concerns the whole preset.

    Raises
    ------
    UsageError, DataError
        As `read_preset`.

    Examples
    --------
    >>> from qbase.scorecards import compare_presets
    >>> compare_presets("policy_text", "outline_2025")[["gate", "indicator", "what", "first", "second"]].values.tolist()
    [['', '', 'dated_on', '2022-08-10', '2023-02-06'], ['D1', 'D1.batch', 'target', None, 94.0]]
    """
    one, two = (read_preset(p) if isinstance(p, str) else p for p in (first, second))
    rows = [["", "", name, getattr(one, name), getattr(two, name)] for name in HEAD]
    mine, theirs = _by_key(one), _by_key(two)
    for key in dict.fromkeys((*mine, *theirs)):
        a, b = mine.get(key), theirs.get(key)
        if a is None or b is None:
            rows.append([*key, "target", None if a is None else a.value, None if b is None else b.value])
            continue
        rows += [[*key, _word(f.name), getattr(a, f.name), getattr(b, f.name)] for f in dataclasses.fields(Target)]
    return pd.DataFrame([r for r in rows if r[3] != r[4]], columns=COLUMNS, dtype=object)


def _by_key(preset: Preset) -> dict[tuple[str, str], Target]:
    return {(t.gate_id, t.indicator_id): t for t in preset.targets}


def _word(field: str) -> str:
    return "target" if field == "value" else field
