"""Take docs/screens/*.webp: three published reports as a reader meets them, on a desk, a phone, in the dark, on paper.

``python docs/make_screens.py SITE`` takes them from a folder of published pages; it needs Debian's chromium, Playwright
and, for paper, pypdfium2 (in no lock of ours). Pictures are cut below the first screens: together below 1.5 MB.
"""

from __future__ import annotations

import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "screens"
REPORTS = {"brief": "quarterly_brief*.html", "trends": "quality_trends*.html", "effects": "policy_effects*.html"}
DESK, PHONE, TALL, QUALITY = 1280, 390, {1280: 1400, 390: 1400}, 60
SHOTS = (
    ("desktop_zh", DESK, "zh", False),
    ("desktop_en", DESK, "en", False),
    ("dark_zh", DESK, "zh", True),
    ("phone_zh", PHONE, "zh", False),
    ("phone_en", PHONE, "en", False),
)


def main(site: pathlib.Path) -> int:
    """Take the pictures of every report that is there."""
    from playwright.sync_api import sync_playwright

    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, pattern in REPORTS.items():
            found = sorted(site.glob(pattern))
            if not found:
                sys.stderr.write(f"no page {pattern}\n")
                return 4
            for shot, width, lang, is_dark in SHOTS:
                page = browser.new_page(viewport={"width": width, "height": TALL[width]})
                page.goto(found[0].as_uri())
                # as a reader does, without script: the switches are labels
                page.locator(f"label[for=L-{lang}]").first.click()
                if is_dark:
                    page.locator("label[for=T-dark]").first.click()
                page.screenshot(path=f"{folder}/{shot}.png")
                _reduce(
                    pathlib.Path(folder) / f"{shot}.png", OUT / f"{name}_{shot}.webp", 900 if width == DESK else 390
                )
                page.close()
            for lang in ("zh", "en"):
                page = browser.new_page()
                page.goto(found[0].as_uri())
                page.locator(f"label[for=L-{lang}]").first.click()
                page.pdf(path=f"{folder}/{lang}.pdf", prefer_css_page_size=True)
                page.close()
                _draw_first(pathlib.Path(folder) / f"{lang}.pdf", pathlib.Path(folder) / f"{lang}.png")
                _reduce(pathlib.Path(folder) / f"{lang}.png", OUT / f"{name}_print_{lang}.webp", 620)
        browser.close()
    return 0


def _draw_first(pdf: pathlib.Path, out: pathlib.Path) -> None:
    import pypdfium2

    with pypdfium2.PdfDocument(pdf) as document:
        document[0].render(scale=1.2).to_pil().save(out)


def _reduce(shot: pathlib.Path, out: pathlib.Path, width: int) -> None:
    from PIL import Image

    with Image.open(shot) as image:
        tall = round(image.height * width / image.width)
        small = image.convert("RGB").resize((width, tall), Image.Resampling.LANCZOS)
        # a palette would lose the pale grounds of boxes
        small.save(out, quality=QUALITY, method=6)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "reports" / "site")))
