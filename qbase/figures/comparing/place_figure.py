"""A schematic map of towns or clusters: a tile each, where it lies by declared coordinates, or in order of its code."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

import pandas as pd

from qbase.core.coverage import HIDDEN
from qbase.core.errors import DataError, UsageError
from qbase.core.numbers import UNITS, count, interval, number, percent
from qbase.core.results.result import Result
from qbase.core.results.sentences import digits_of
from qbase.core.shown.display import Column, Figure, Table
from qbase.core.text import Text, join, same
from qbase.figures.comparing.place_drawing import WORDS, PlaceMap, PlaceTile, draw_places, height_of
from qbase.figures.surface.canvas import render
from qbase.figures.surface.figure_words import (
    account_data,
    capital,
    data_row,
    definition_note,
    first_fit,
    sentences,
    source_note,
    with_unit,
)
from qbase.figures.tabulating.check_names import failed_note

MOST = 120
"""More tiles find no room for their number on a phone."""
HOW = Text(
    "一格一地，数字是本期的值。只有着色带三角的与平均分得出（粗框：99.8% 界限之外）；斜线格间的差别可能只是抽样波动。",
    "A tile a place, its number the value of the period. Only shaded tiles with a triangle can be told from the mean "
    "(thick outline: outside the 99.8% limits); differences among hatched tiles may be chance alone.",
)
NO_PLACES = Text(
    "没有给出坐标：格子按代码排列，不表示位置。",
    "No coordinates were given: tiles stand in order of code, not of place.",
)
PLACED = Text(
    "格子按给出的坐标排列，只示意相对位置。", "Tiles stand by the coordinates given, a sketch of who lies where."
)


def plot_tile_map(result: Result, *, places: Mapping[str, tuple[int, int]] | None = None) -> Figure:
    """Draw places as tiles with their rate, shaded only where it can be told from the mean.

    Parameters
    ----------
    result : Result
        Of `qbase.trends.compare_peers`: tables ``peers`` and ``limits``.
    places : mapping or None
        Code -> column and row of its tile, whole numbers from 0; one without a rate has a dashed tile. None puts tiles
        in order of their codes, and the note says so.

    Returns
    -------
    Figure
        Four drawings, texts in both languages, and the table.

    Raises
    ------
    DataError
        No such table, or a result without an answer (QB539).
    UsageError
        A place of the result has no coordinates, two have the same, or they are no whole numbers (QB890).

    Examples
    --------
    >>> from qbase.figures import plot_tile_map
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import compare_peers
    >>> panel = build_panel(open_workspace(), "D1.batch", entity="town_code")
    >>> figure = plot_tile_map(compare_peers(panel, "D1.batch", period="2025"))
    >>> print(figure.title.en)
    1 of 12 towns can be told from the mean of 82.5%
    """
    peers, limits = (result.tables.get(name, pd.DataFrame()) for name in ("peers", "limits"))
    if limits.empty or "outside" not in peers:
        raise DataError(
            "QB539", name=result.name, table="limits", found=", ".join(result.tables) or "no table",
            expected="tables peers and limits", fix="plot_tile_map(compare_peers(panel, outcome))",
        )  # fmt: skip
    digits = digits_of(result, result.estimates[0])
    shown = _map(result, peers, places, digits)
    name, title = f"tiles_of_places:{result.outcome.id}", _title(result, peers, digits)
    alt = _alt(result, peers, shown, digits)
    drawings, preview = render(
        name, title=title, alt=alt, draw=functools.partial(draw_places, shown),
        height=functools.partial(height_of, shown),
    )  # fmt: skip
    measure, total = capital(with_unit(result.outcome.label, result.outcome.unit)), count(int(peers["n"].sum()))
    when, kind, counted = result.labels["window"], result.labels["kind"], UNITS[result.outcome.counted]
    return Figure(
        name=name,
        title=title,
        subtitle=Text(
            f"{measure.zh}；{when.zh}，{count(len(peers))} {kind.zh}，n = {total} {counted.zh}",
            f"{measure.en}; {when.en}, {count(len(peers))} {kind.en}, n = {total} {counted.en}",
        ),
        how_to_read=HOW,
        note=sentences(
            NO_PLACES if places is None else PLACED, result.labels["chance"], *failed_note(result),
            definition_note(result.outcome), source_note(result),
        ),
        alt=alt,
        drawings=drawings,
        table=_table(result, peers, name, digits),
        preview=preview,
    )  # fmt: skip


def _map(result: Result, peers: pd.DataFrame, places: Mapping[str, tuple[int, int]] | None, digits: int) -> PlaceMap:
    rows = {str(row["entity"]): row for row in peers.to_dict("records")}
    hidden = {str(e) for e in result.settings.get("withheld", ())}
    at = _in_order(sorted({*rows, *hidden})) if places is None else places
    _check(at, {*rows, *hidden})
    tiles = []
    for code, (column, row) in at.items():
        told = rows.get(code)
        if told is None:
            label = result.labels.get(f"entity[{code}]", same(code))
            tiles.append(PlaceTile(column, row, label, HIDDEN if code in hidden else "–", "none"))
            continue
        side, far = str(told["outside"]).partition("_")[::2]
        label = Text(_short(str(told["name_zh"])), str(told["name_en"]))
        value = number(float(told["rate_pct"]), digits)
        tiles.append(PlaceTile(column, row, label, value, side, far == "998"))
    return PlaceMap(tiles=tuple(tiles), key=tuple(s for s in WORDS if any(tile.side == s for tile in tiles)))


def _short(name: str) -> str:
    return name.removesuffix("镇").removesuffix("街道") if len(name) > 4 else name


def _in_order(codes: list[str]) -> dict[str, tuple[int, int]]:
    # as wide as the page takes, hardly taller than wide
    across = min(max(1, math.ceil(math.sqrt(len(codes) * 1.6))), 8)
    return {code: (i % across, i // across) for i, code in enumerate(codes)}


def _check(places: Mapping[str, tuple[int, int]], needed: set[str]) -> None:
    missing = sorted(needed - set(places))
    taken = [tuple(at) for at in places.values()]
    twice = sorted({code for code, at in places.items() if taken.count(tuple(at)) > 1})
    odd = [c for c, at in places.items() if len(at) != 2 or not all(type(x) is int and 0 <= x < MOST for x in at)]
    if missing or twice or odd or len(places) > MOST:
        told = (("no coordinates", missing), ("one tile for two", twice), ("no whole numbers", odd))
        found = "; ".join(f"{what}: {', '.join(codes[:5])}" for what, codes in told if codes)
        raise UsageError(
            "QB890", found=found or f"{len(places)} places",
            expected=f"column and row of every place, each once, at most {MOST}",
            fix='plot_tile_map(result, places={"970001": (0, 0), "970002": (1, 0)}), or without places',
        )  # fmt: skip


def _title(result: Result, peers: pd.DataFrame, digits: int) -> Text:
    told, n, kind = int(peers["outside"].ne("").sum()), count(len(peers)), result.labels["kind"]
    mean = percent(float(result.settings["target_pct"]), digits)
    if not told:
        return Text(
            f"{n} {kind.zh}都与平均 {mean} 分不出", f"None of {n} {kind.en} can be told from the mean of {mean}"
        )
    whole = f"{count(told)} of {n} {kind.en} can be told from the mean of {mean}"
    return first_fit([Text(f"{n} {kind.zh}中 {count(told)} 个与平均 {mean} 分得出", whole)])


def _alt(result: Result, peers: pd.DataFrame, shown: PlaceMap, digits: int) -> Text:
    kind, mean = result.labels["kind"], percent(float(result.settings["target_pct"]), digits)
    n = count(len(shown.tiles))
    parts = [Text(f"方格图，{n} {kind.zh}，平均 {mean}。", f"Map of tiles, {n} {kind.en}, mean {mean}.")]
    for side in ("high", "low"):
        own = peers[peers["outside"].str.startswith(side)]
        if len(own):
            rates = [percent(float(rate), digits) for rate in own["rate_pct"]]
            told = [Text(f"{z} {r}", f"{e} {r}") for z, e, r in zip(own["name_zh"], own["name_en"], rates, strict=True)]
            listed, word = join(told, zh="、", en=", "), capital(WORDS[side])
            parts.append(Text(f"{word.zh}：{listed.zh}。", f"{word.en}: {listed.en}."))
    rest = int(peers["outside"].eq("").sum())
    if rest:
        parts.append(Text(f"{count(rest)} 个与平均分不出。", f"{count(rest)} cannot be told from the mean."))
    return sentences(*parts)


def _table(result: Result, peers: pd.DataFrame, name: str, digits: int) -> Table:
    counted = UNITS[result.outcome.counted]
    rows: dict[str, tuple[str | Text, ...]] = {}
    for row in peers.to_dict("records"):
        side = WORDS[str(row["outside"]).partition("_")[0]]
        rows[str(row["entity"])] = (
            Text(str(row["name_zh"]), str(row["name_en"])),
            count(int(row["n"])),
            number(float(row["rate_pct"]), digits),
            interval(row["ci_low"], row["ci_high"], digits),
            Text(side.zh.partition("（")[0], side.en.partition(" (")[0]),
        )
    for code in map(str, result.settings.get("withheld", ())):
        rows[code] = (result.labels.get(f"entity[{code}]", same(code)), *[HIDDEN] * 3, Text("不公开", "withheld"))
    columns = ["entity", "name_zh", "name_en", "k", "n", "rate_pct", "ci_low", "ci_high", "outside"]
    data: dict[str, list[object]] = {c: [data_row(v) for v in peers[c]] for c in columns}
    return Table(
        name=f"{name}:table",
        caption=Text("各对象的比率，按代码排列", "Rates, in order of code"),
        columns=(
            Column(label=Text("对象", "Entity")),
            Column(label=Text(f"n（{counted.zh}）", f"n ({counted.en})"), numeric=True),
            Column(label=with_unit(Text("比率", "Rate"), result.outcome.unit), numeric=True),
            Column(label=same("95% CI"), numeric=True),
            Column(label=Text("与平均相比", "Beside the mean")),
        ),
        rows=tuple(rows[code] for code in sorted(rows)),
        data=data | account_data([result.coverage] * len(peers)),
    )
