"""Draw docs/report.png, the picture of the README: the first screen of a published report, in a headless browser."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
REPORT = ROOT / "reports" / "site" / "quality_trends.html"
PICTURE = ROOT / "docs" / "report.png"
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]


def main() -> int:
    """Take the screenshot and reduce its colours, which keeps it small."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None or not REPORT.is_file():
        sys.stderr.write("needs a Chromium browser and a published report: make report\n")
        return 4
    with tempfile.TemporaryDirectory() as folder:
        shot = pathlib.Path(folder) / "shot.png"
        words = [
            f"--user-data-dir={folder}/profile",
            "--window-size=1280,1720",
            "--hide-scrollbars",
            f"--screenshot={shot}",
        ]
        subprocess.run([browser, *QUIET, *words, REPORT.as_uri()], check=True, capture_output=True)
        from PIL import Image

        with Image.open(shot) as image:
            small = image.convert("RGB").resize((960, 1290), Image.Resampling.LANCZOS)
            # the usual median cut loses the few golden and plum strokes
            small.quantize(160, method=Image.Quantize.MAXCOVERAGE).save(PICTURE, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
