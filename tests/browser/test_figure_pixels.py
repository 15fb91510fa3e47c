"""Every figure looks as it did: its pixels against a stored picture, block by block, in the fonts that ship."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from PIL import Image

import qbase.figures
from tests.browser import figure_pixels as pixels

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return pixels.draw_all()


@pytest.fixture(scope="module")
def shoot(chromium: str, drawn: dict[str, str]) -> Iterator[Callable[[str], Image.Image]]:
    with pixels.open_screen(chromium, "".join(drawn.values())) as screen:
        yield screen


def test_every_public_figure_has_a_picture() -> None:
    public = {name for name in qbase.figures.__all__ if name.startswith("plot_")}
    assert public == set(pixels.PICTURES) == {path.stem for path in pixels.FOLDER.glob("*.png")}
    assert sum(path.stat().st_size for path in pixels.FOLDER.glob("*.png")) < 400_000


@pytest.mark.parametrize("name", pixels.PICTURES)
def test_a_figure_looks_as_it_did(drawn: dict[str, str], shoot: Callable[[str], Image.Image], name: str) -> None:
    stored = Image.open(pixels.FOLDER / f"{name}.png")
    found = pixels.differ(stored, shoot(drawn[name]))
    assert found < pixels.TOLERANCE, f"{name} differs by {found:.0f}; renew with python -m tests.browser.figure_pixels"


@pytest.mark.parametrize(
    ("name", "pattern", "put"),
    [
        ("plot_trend", r"<text[^>]*>95% CI[^<]*</text>", ""),
        ("plot_funnel", r"(<text[^>]*) x=\"[\d.]+\"", r'\1 x="300"'),
        ("plot_gates", r"var\(--orange\)", "var(--mut)"),
        ("plot_trend", "font-size:12px", "font-size:14px"),
    ],
)
def test_what_is_gone_moved_recoloured_or_larger_is_seen(
    drawn: dict[str, str], shoot: Callable[[str], Image.Image], name: str, pattern: str, put: str
) -> None:
    changed = re.sub(pattern, put, drawn[name])
    assert changed != drawn[name]
    assert pixels.differ(Image.open(pixels.FOLDER / f"{name}.png"), shoot(changed)) > pixels.TOLERANCE
