"""Every figure as pixels, from small fixed inputs: what they are made of, how two pictures are compared.

``python -m tests.browser.figure_pixels`` from the root of the project draws the stored pictures anew; look at them
before they are committed.
"""

from __future__ import annotations

import io
import pathlib
import shutil
import tempfile
import unittest.mock
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from qbase.core import Figure, Panel, Policy, Spell, Text
from qbase.core.shown.palette import LIGHT, css_variables
from qbase.effects import describe_path
from qbase.figures import (
    plot_clauses,
    plot_decomposition,
    plot_effect,
    plot_estimates,
    plot_gates,
    plot_panel,
    plot_paths,
    plot_tile_map,
)
from qbase.figures.surface import canvas
from qbase.figures.surface.canvas import leave_previews
from qbase.lake import Workspace
from qbase.reports.rendering.page_fonts import font_faces
from qbase.scorecards import judge_bases, judge_clauses, read_preset, score_gates
from qbase.trends import compare_peers
from tests.unit.figures import (
    test_decomposition,
    test_design_drawings,
    test_drawings,
    test_index_drawings,
    test_peer_drawings,
    test_plan_drawings,
    test_signal_drawings,
)
from tests.unit.scorecards.gate_makers import make_data, make_quarters

FOLDER = pathlib.Path(__file__).with_name("pixels")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--font-render-hinting=none", "--disable-lcd-text", "--force-color-profile=srgb",
]  # fmt: skip
KEY, SCALE, COLOURS = "zh_wide", 0.75, 256
BLOCK = 6
TOLERANCE = 15.0
"""Largest difference of the mean of a block of 6 by 6 pixels, of 255. Storing 256 colours costs 2; flags of Chromium
that change how letters are smoothed change nothing, since the fonts come with the page. A font two pixels larger
differs by 24, a label or a dash gone by 40 and more; one digit for another (7) is for tests of numbers."""


def places() -> Panel:
    """Return rates of nine towns in one year."""
    n = np.array([60, 80, 70, 90, 50, 75, 65, 85, 95])
    k = np.array([40, 76, 66, 86, 46, 71, 62, 81, 90])
    rows = {"town_code": [f"99002{i}10{i}" for i in range(1, 10)], "year": 2024, "y": 100 * k / n, "y__n": n, "y__k": k}
    names = {code: Text(f"第{i}镇", f"Town {i}") for i, code in enumerate(rows["town_code"], 1)}
    return Panel.from_frame(
        pd.DataFrame(rows), entity="town_code", period="year", freq="A", indicators={"y": test_peer_drawings.RATE},
        labels=names,
    )  # fmt: skip


def followed() -> Panel:
    """Return rates of six clusters over twelve quarters with two gaps."""
    at = [(i, t) for i in range(1, 7) for t in range(12) if (i, t) not in {(2, 3), (5, 9)}]
    rows = pd.DataFrame([(f"K{i}", f"{2019 + t // 4}Q{t % 4 + 1}", 40 + i, 34 + i + (t * i) % 6) for i, t in at])
    rows.columns = pd.Index(["cluster_id", "period", "D1.batch__n", "D1.batch__k"])
    rows["D1.batch"] = 100 * rows["D1.batch__k"] / rows["D1.batch__n"]
    return Panel.from_frame(
        rows, entity="cluster_id", period="period", freq="Q", indicators={"D1.batch": test_drawings.RATE}
    )


def began() -> Policy:
    """Return a policy of two of them."""
    spells = tuple(Spell(entity=entity, start="2020Q3") for entity in ("K1", "K2"))
    return Policy(policy_id="base", title=test_drawings.TITLE, spells=spells)


def gates() -> Figure:
    made = make_data(make_quarters([[0.99] * 8, [0.7] * 8, [0.9] * 8], n=40), {"K1": "a", "K2": "a"})
    return plot_gates(judge_bases(made, read_preset("policy_text"), draws=500))


def clauses() -> Figure:
    made = make_data(make_quarters([[0.99] * 8, [0.7] * 8], n=40), {"K1": "a", "K2": "a"})
    card = score_gates(made, read_preset("policy_text"), clusters=["K1"])[0]
    with tempfile.TemporaryDirectory() as folder:
        return plot_clauses(judge_clauses(Workspace.create(pathlib.Path(folder) / "home"), card))


def _paths() -> Figure:
    why = Text("没有比较对象", "nobody to compare with")
    return plot_paths(describe_path(followed(), began(), "D1.batch", why=why), policy=began())


PICTURES: Mapping[str, Callable[[], Figure]] = {
    "plot_breaks": test_signal_drawings.CASES["breaks"],
    "plot_clauses": clauses,
    "plot_control": test_signal_drawings.CASES["control_phases"],
    "plot_decomposition": lambda: plot_decomposition(test_decomposition.decomposed()),
    "plot_design_power": test_design_drawings.CASES["power"],
    "plot_dose_ledger": test_index_drawings.CASES["ledger"],
    "plot_effect": lambda: plot_effect(test_drawings.events(leads_passed=False)),
    "plot_estimates": lambda: plot_estimates(test_drawings.change(-2.3, -4.1, -0.4)),
    "plot_evaluation": test_plan_drawings.CASES["evaluation"],
    "plot_event_study": test_drawings.CASES["events"],
    "plot_frontier": test_plan_drawings.CASES["frontier"],
    "plot_funnel": test_peer_drawings.CASES["funnel"],
    "plot_gates": gates,
    "plot_index_ranks": test_index_drawings.CASES["index"],
    "plot_joinpoints": test_signal_drawings.CASES["turns"],
    "plot_memory": test_signal_drawings.CASES["memory_ewma"],
    "plot_panel": lambda: plot_panel(followed(), policy=began()),
    "plot_paths": _paths,
    "plot_ranks": test_peer_drawings.CASES["ranks"],
    "plot_specifications": test_design_drawings.CASES["specifications"],
    "plot_synthetic": test_design_drawings.CASES["synthetic"],
    "plot_tile_map": lambda: plot_tile_map(compare_peers(places(), "y")),
    "plot_trend": test_drawings.CASES["trend"],
}
"""Name of a public figure -> what draws it."""


def draw_all() -> dict[str, str]:
    """Return the SVG of every figure."""
    one = tuple(variant for variant in canvas.VARIANTS if variant.key == KEY)
    with leave_previews(), unittest.mock.patch.object(canvas, "VARIANTS", one):
        return {name: make().drawings[KEY] for name, make in PICTURES.items()}


@contextmanager
def open_screen(chromium: str, characters: str) -> Iterator[Callable[[str], Image.Image]]:
    """Give what turns an SVG into a picture, in the fonts and colours of a page."""
    from playwright.sync_api import sync_playwright

    style = f"{font_faces(set(characters), 'house')}:root{{{css_variables(LIGHT)}}}"
    style += "*{font-family:house,sans-serif!important}body{margin:0;background:#fff}svg{display:block;width:820px}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 820, "height": 600}, device_scale_factor=SCALE)
        page.set_content(f"<!doctype html><meta charset=utf-8><style>{style}</style><body></body>")

        def shoot(svg: str) -> Image.Image:
            page.evaluate("svg => { document.body.innerHTML = svg; return document.fonts.ready.then(() => 1) }", svg)
            return Image.open(io.BytesIO(page.locator("svg").first.screenshot())).convert("RGB")

        yield shoot
        browser.close()


def blocks_of(picture: Image.Image) -> NDArray[np.float64]:
    """Return the mean colour of every block of pixels."""
    pixels = np.asarray(picture.convert("RGB"), dtype=float)
    high, wide = (side // BLOCK for side in pixels.shape[:2])
    return pixels[: high * BLOCK, : wide * BLOCK].reshape(high, BLOCK, wide, BLOCK, 3).mean(axis=(1, 3))


def differ(one: Image.Image, other: Image.Image) -> float:
    """Return the largest difference of blocks; that of black and white where the pictures are not of one size."""
    if any(abs(a - b) > 1 for a, b in zip(one.size, other.size, strict=True)):
        return 255.0
    a, b = blocks_of(one), blocks_of(other)
    high, wide = (min(x, y) for x, y in zip(a.shape[:2], b.shape[:2], strict=True))
    return float(np.abs(a[:high, :wide] - b[:high, :wide]).max())


def main() -> None:
    """Draw all pictures anew."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("needs a Chromium browser (apt-get install chromium)")
    drawn = draw_all()
    FOLDER.mkdir(exist_ok=True)
    with open_screen(found, "".join(drawn.values())) as shoot:
        for name, svg in drawn.items():
            small = shoot(svg).quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            small.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
