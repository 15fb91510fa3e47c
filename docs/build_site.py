"""Build the pages of this folder into build/docs: a site read from the disk, without a server or a network."""

from __future__ import annotations

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "docs"


def main() -> int:
    """Run Sphinx; a warning fails the build."""
    from sphinx.cmd.build import main as build

    words = ["-q", "-W", "--keep-going", "-b", "html", "-d", str(ROOT / "build" / "docs-read")]
    failed = build([*words, str(ROOT / "docs"), str(SITE)])
    if not failed:
        sys.stdout.write(f"{SITE.relative_to(ROOT) / 'index.html'}\n")
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
