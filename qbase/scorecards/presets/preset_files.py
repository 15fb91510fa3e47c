"""From a preset's file to a preset: inheritance, and typos that name the nearest word."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import tomllib
from collections.abc import Callable, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from qbase.core.errors import DataError, UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.text import Text
from qbase.indicators.catalogue.indicator_rows import find_indicator, read_rows
from qbase.scorecards.presets.preset_values import Preset, Target

if TYPE_CHECKING:
    from qbase.lake import Workspace

FOLDER = ("data", "presets")
"""Where a workspace keeps presets of its own."""
HEAD = ("id", "version", "dated_on", "zh", "en", "extends", "required", "bases", "due_on", "note", "target")
ROW = {"indicator": "indicator_id", "target": "value"} | {
    f.name: f.name for f in dataclasses.fields(Target) if f.name not in {"indicator_id", "value", "source"}
}
WORDS = {name: get_args(hint) for name, hint in get_type_hints(Target).items() if get_args(hint)}
NEEDED = "id, version, dated_on, zh, en; per target: indicator, target (a number), zh, en"


def list_presets(workspace: Workspace | None = None) -> list[str]:
    """Return the ids of the presets that ship with qbase, and of those a workspace has of its own.

    Parameters
    ----------
    workspace : Workspace or None
        Its presets lie in ``data/presets``; an id of its own hides that of the package.

    Examples
    --------
    >>> from qbase.scorecards import list_presets
    >>> list_presets()
    ['base_2026', 'db3701_t20', 'miit_cluster', 'no_target', 'outline_2025', 'policy_text']
    """
    return sorted(_files(workspace))


def read_preset(preset_id: str, workspace: Workspace | None = None) -> Preset:
    """Read a preset, with what it takes over from those it extends.

    Parameters
    ----------
    preset_id : str
        ``outline_2025``.
    workspace : Workspace or None
        Where a town's own presets are looked for as well.

    Raises
    ------
    UsageError
        There is none of that id (QB601), it names an unknown indicator (QB401), gate (QB609), key or word (QB607).
    DataError
        Its file is incomplete or no TOML (QB602), or presets extend each other in a circle (QB608).

    Examples
    --------
    >>> from qbase.scorecards import read_preset
    >>> preset = read_preset("outline_2025")
    >>> preset.title.en, preset.dated_on, [(t.indicator_id, t.value) for t in preset.targets][:2]
    ('2025 targets of the national quality outline', '2023-02-06', [('D1.batch', 94.0), ('N1.penalty', 100.0)])
    """
    files = _files(workspace)
    read = functools.partial(_document, files)
    return parse_preset(read(preset_id), name=preset_id, read=read)


def _document(files: Mapping[str, Callable[[], str]], name: str) -> Mapping[str, Any]:
    """Return the TOML document of a preset."""
    if name not in files:
        raise UsageError(
            "QB601", preset=name, found=repr(name), expected=" | ".join(sorted(files)),
            fix=suggest_names(name, sorted(files)),
        )  # fmt: skip
    try:
        return tomllib.loads(files[name]())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise _incomplete(name, problem) from problem


def parse_preset(
    raw: Mapping[str, Any],
    *,
    name: str,
    read: Callable[[str], Mapping[str, Any]] | None = None,
    below: tuple[str, ...] = (),
) -> Preset:
    """Turn the content of a preset's file into a preset.

    A target replaces the one of the same gate and indicator that is taken over; ``required``, ``bases`` and ``due_on``
    are taken over where they are not set.

    Parameters
    ----------
    raw : mapping
        The TOML document.
    name : str
        Stem of the file, for messages.
    read : callable or None
        Gives the document of the preset it extends.
    below : tuple of str
        Presets that extend this one.

    Raises
    ------
    UsageError
        An unknown indicator (QB401), gate (QB609), key or word (QB607); a kind that does not fit (QB612).
    DataError
        A key is missing or a target is no number (QB602); a circle of ``extends`` (QB608).
    """
    _check_words(raw, HEAD, name)
    base = _base(raw, name=name, read=read, below=below)
    try:
        own = tuple(_target(row, raw, name) for row in raw["target"])
        whose = {(t.gate_id, t.indicator_id) for t in own}
        taken = () if base is None else tuple(t for t in base.targets if (t.gate_id, t.indicator_id) not in whose)
        least, most = raw.get("bases", (2, 3) if base is None else base.bases)
        preset = Preset(
            preset_id=raw["id"],
            version=int(raw["version"]),
            dated_on=_day(raw["dated_on"]),
            title=Text(raw["zh"], raw["en"]),
            targets=(*own, *taken),
            required=tuple(raw.get("required", () if base is None else base.required)),
            bases=(int(least), int(most)),
            due_on=str(raw.get("due_on", "" if base is None else base.due_on)),
            extends=raw.get("extends", ""),
            notes=(*(Text(n["zh"], n["en"]) for n in raw.get("note", ())), *(() if base is None else base.notes)),
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise _incomplete(name, problem) from problem
    _check_gates(preset, name)
    return preset


def _day(given: str) -> str:
    """Return a date, or a year where the source gives no more."""
    return given if len(given) == 4 and given.isdigit() else datetime.date.fromisoformat(given).isoformat()


def _files(workspace: Workspace | None) -> dict[str, Callable[[], str]]:
    """Return how to read each preset's file, those of the workspace last."""
    shipped = resources.files("qbase.scorecards.presets")
    found: dict[str, Callable[[], str]] = {
        file.name.removesuffix(".toml"): lambda file=file: file.read_text(encoding="utf-8")  # type: ignore[misc]
        for file in shipped.iterdir()
        if file.name.endswith(".toml")
    }
    if workspace is not None:
        for own in sorted(workspace.root.joinpath(*FOLDER).glob("*.toml")):
            found[own.stem] = lambda own=own: own.read_text(encoding="utf-8")  # type: ignore[misc]
    return found


def _base(
    raw: Mapping[str, Any], *, name: str, read: Callable[[str], Mapping[str, Any]] | None, below: tuple[str, ...]
) -> Preset | None:
    if "extends" not in raw:
        return None
    above = str(raw["extends"])
    if above in (*below, name):
        raise DataError(
            "QB608", preset=name, found=" → ".join((*below, name, above)), expected="a chain that ends",
            fix=f"drop extends from {above}.toml or from {name}.toml",
        )  # fmt: skip
    document = {} if read is None else read(above)
    return parse_preset(document, name=above, read=read, below=(*below, name))


def _target(row: Mapping[str, Any], raw: Mapping[str, Any], name: str) -> Target:
    _check_words(row, (*ROW, "zh", "en"), name)
    indicator = find_indicator(row["indicator"]).indicator
    fields = {ROW[key]: value for key, value in row.items() if key in ROW}
    for key, known in WORDS.items():
        if key in fields and fields[key] not in known:
            raise _unknown(name, f"{key} = {fields[key]!r}", known, fields[key])
    value, level = float(row["target"]), float(fields.get("level", 0.95))
    if not (abs(value) < float("inf") and 0.5 < level < 1 and int(fields.get("window", 4)) >= 1):
        raise ValueError(f"target = {value}, level = {level}, window = {fields.get('window', 4)}")
    target = Target(
        **{
            "dated_on": raw["dated_on"],
            **fields,
            "value": value,
            "indicator_id": indicator.id,
            "source": Text(row["zh"], row["en"]),
        }
    )
    _check_kind(target)
    return target


def _check_words(given: Mapping[str, Any], known: tuple[str, ...], name: str) -> None:
    for key in given:
        if key not in known:
            raise _unknown(name, str(key), known, key)


def _check_gates(preset: Preset, name: str) -> None:
    rows = read_rows()
    for gate in preset.gates:
        if gate not in rows:
            raise UsageError(
                "QB609", preset=name, gate=gate, found=repr(gate), expected="D1–D6, N1–N5, L2–L14 …",
                fix=suggest_names(gate, rows),
            )  # fmt: skip


def _unknown(name: str, found: str, known: tuple[str, ...], word: object) -> UsageError:
    return UsageError(
        "QB607",
        preset=name,
        found=found,
        expected=" | ".join(map(str, known)),
        fix=suggest_names(word, map(str, known)),
    )


def _incomplete(name: str, problem: Exception) -> DataError:
    return DataError(
        "QB602",
        preset=name,
        found=f"{type(problem).__name__}: {problem}",
        expected=NEEDED,
        fix=f"complete presets/{name}.toml",
    )


def _check_kind(target: Target) -> None:
    """Refuse a threshold whose kind does not fit its indicator.

    Raises
    ------
    UsageError
        A full count judged as a sampled rate or the other way round (QB612).
    """
    measured = find_indicator(target.indicator_id)
    fits = {
        "rate": measured.kind == "rate" and measured.is_inspected,
        "value": measured.basis == "full_count",
        "everybody": measured.kind == "rate" and measured.basis == "full_count",
        "lead": target.indicator_id == "L2.lead",
    }
    if not fits[target.kind]:
        raise UsageError(
            "QB612", indicator=target.indicator_id, found=f'kind = "{target.kind}"',
            expected=" | ".join(k for k, ok in fits.items() if ok) or "an indicator that can be judged",
            fix=f"choose another kind, or another indicator of {measured.row}",
        )  # fmt: skip
