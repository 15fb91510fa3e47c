"""Values of the house as bytes and back: frames as Arrow streams, all else as JSON in front of them.

Only frozen values whose class is named are made again, through their own checks; nothing here can become code.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from qbase.core.coverage import Coverage
from qbase.core.panel import Panel
from qbase.core.policy import DatedEvent, Plan, Policy, PolicyDate, Spell
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate, Indicator, Source, freeze

MARK = "$"
HEAD = b"qbase"
_CLASSES: dict[str, type] = {
    one.__name__: one
    for one in (
        *(CheckResult, Coverage, DatedEvent, Estimate, Indicator, Panel),
        *(Plan, Policy, PolicyDate, Result, Source, Spell, Text),
    )
}


def learn(cls: type) -> type:
    """Let values of a frozen class be written and read; a decorator."""
    _CLASSES[cls.__name__] = cls
    return cls


def to_bytes(value: Any) -> bytes | None:
    """Return a value as bytes, or None where what is read back would not be the same to the last bit."""
    frames: list[pd.DataFrame] = []
    try:
        told = _told(value, frames)
        packed = [_packed(frame) for frame in frames]
        again = [_unpacked(table, facts) for table, facts in packed]
    except (TypeError, ValueError, pa.ArrowException):
        return None
    if not all(map(_is_same, frames, again)):
        return None
    sink = pa.BufferOutputStream()
    head = {HEAD: json.dumps([told, [facts for _, facts in packed]], ensure_ascii=False).encode()}
    for table in (pa.table({}).replace_schema_metadata(head), *(table for table, _ in packed)):
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def from_buffer(buffer: pa.Buffer) -> Any:
    """Return the value of some bytes, which may lie in a mapped file; frames are copies that may be written to.

    Raises
    ------
    ValueError, KeyError, TypeError, pyarrow.ArrowException
        They are no such bytes.
    """
    source = pa.BufferReader(buffer)
    head = pa.ipc.open_stream(source).read_all().schema.metadata
    told, facts = json.loads(head[HEAD])
    frames = [_unpacked(pa.ipc.open_stream(source).read_all(), one) for one in facts]
    return _value(told, frames)


def _told(value: Any, frames: list[pd.DataFrame]) -> Any:
    if value is None or type(value) in {str, int, float, bool}:
        return value
    if isinstance(value, np.floating | np.integer | np.bool_):
        return {MARK: "number", "type": value.dtype.str, "of": value.item()}
    if isinstance(value, pd.DataFrame):
        frames.append(value)
        return {MARK: "frame", "at": len(frames) - 1}
    if type(value) is np.ndarray and value.dtype.kind in "fiub":
        # a column of its own: its bits come back as they were, and its shape stands beside
        frames.append(pd.DataFrame({"array": value.ravel()}))
        return {MARK: "array", "at": len(frames) - 1, "shape": list(value.shape)}
    if isinstance(value, pd.PeriodIndex):
        return {MARK: "periods", "of": [value.asi8.tolist(), value.freqstr, value.name]}
    if isinstance(value, pd.Period):
        return {MARK: "period", "of": [value.ordinal, value.freqstr]}
    if type(value) in {tuple, list}:
        return {MARK: type(value).__name__, "of": [_told(item, frames) for item in value]}
    if isinstance(value, Mapping):
        return {MARK: "mapping", "of": [[_told(k, frames), _told(v, frames)] for k, v in value.items()]}
    name = type(value).__name__
    if _CLASSES.get(name) is not type(value):
        raise TypeError(name)
    fields = {field.name: _told(getattr(value, field.name), frames) for field in dataclasses.fields(_CLASSES[name])}
    return {MARK: "value", "class": name, "of": fields}


def _value(told: Any, frames: list[pd.DataFrame]) -> Any:
    if not isinstance(told, dict):
        return told
    kind: str = told[MARK]
    of: Any = told.get("of")
    if kind == "frame":
        return frames[told["at"]]
    if kind == "array":
        return frames[told["at"]]["array"].to_numpy().reshape(told["shape"])
    if kind == "periods":
        return pd.PeriodIndex([pd.Period(ordinal=o, freq=of[1]) for o in of[0]], dtype=f"period[{of[1]}]", name=of[2])
    if kind == "number":
        return np.dtype(told["type"]).type(of)
    if kind == "period":
        return pd.Period(ordinal=of[0], freq=of[1])
    if kind in {"tuple", "list"}:
        items = [_value(item, frames) for item in of]
        return tuple(items) if kind == "tuple" else items
    if kind == "mapping":
        return freeze({_value(k, frames): _value(v, frames) for k, v in of})
    if kind != "value":
        raise ValueError(kind)
    return _CLASSES[told["class"]](**{name: _value(item, frames) for name, item in of.items()})


def _packed(frame: pd.DataFrame) -> tuple[pa.Table, dict[str, Any]]:
    """Return a frame as a table with columns by number, and what makes a frame of it again."""
    facts: dict[str, Any] = {"names": list(frame.columns), "name": frame.columns.name, "types": []}
    if not all(isinstance(name, str) for name in facts["names"]) or frame.columns.nlevels > 1 or frame.attrs:
        raise TypeError("columns")
    facts["columns"] = str(frame.columns.dtype)
    index = frame.index
    columns: list[Any] = []
    if isinstance(index, pd.RangeIndex):
        facts["range"] = [index.start, index.stop, index.step]
    else:
        columns = [index.get_level_values(level) for level in range(index.nlevels)]
    facts["levels"], facts["index"] = len(columns), list(index.names)
    columns += [frame.iloc[:, place].array for place in range(frame.shape[1])]
    arrays = []
    for values in columns:
        facts["types"].append(str(values.dtype))
        if isinstance(values.dtype, pd.PeriodDtype):
            arrays.append(pa.array(values.asi8))
        else:
            arrays.append(pa.Array.from_pandas(pd.Series(values)))
    return pa.table(arrays, names=[str(place) for place in range(len(arrays))]), facts


def _unpacked(table: pa.Table, facts: Mapping[str, Any]) -> pd.DataFrame:
    columns: list[Any] = []
    for place, wanted in enumerate(facts["types"]):
        found = table.column(place)
        dtype = pd.api.types.pandas_dtype(wanted)
        # copies: what lies in a mapped file cannot be written to
        if isinstance(dtype, pd.PeriodDtype):
            columns.append(pd.arrays.PeriodArray(found.to_numpy().copy(), dtype=dtype))
        else:
            columns.append(pd.Series(found.to_pandas(), dtype=dtype, copy=True).array)
    levels, names = columns[: facts["levels"]], facts["index"]
    if "range" in facts:
        start, stop, step = facts["range"]
        index: pd.Index = pd.RangeIndex(start, stop, step, name=names[0])
    elif len(names) > 1:
        index = pd.MultiIndex.from_arrays(levels, names=names)
    else:
        index = pd.Index(levels[0], name=names[0])
    body = dict(enumerate(columns[facts["levels"] :]))
    frame = pd.DataFrame(body, index=index, copy=False)
    frame.columns = pd.Index(facts["names"], dtype=facts["columns"], name=facts["name"])
    return frame


def _is_same(frame: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two frames agree in values, types and order, of rows, columns and index."""
    here, there = frame.index, other.index
    of = [
        (index.get_level_values(level).dtype, index.names) for index in (here, there) for level in range(index.nlevels)
    ]
    middle = len(of) // 2
    return (
        type(here) is type(there)
        and of[:middle] == of[middle:]
        and here.equals(there)
        and frame.columns.dtype == other.columns.dtype
        and list(frame.dtypes) == list(other.dtypes)
        and frame.equals(other)
    )
