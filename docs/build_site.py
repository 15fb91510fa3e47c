"""Build the pages of this folder into build/docs: a site read from the disk, without a server or a network."""

from __future__ import annotations

import logging
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "docs"
LOADED = re.compile(
    r"<(?:script|img|iframe|audio|video|source|embed|input)\b[^>]*\bsrc=[\"']([^\"']+)[\"']", flags=re.I
)
LINKED = re.compile(r"<link\b[^>]*>", flags=re.I)
STYLED = re.compile(r"(?:@import\s+(?:url\()?|url\()[\"']?([^\"')]+)", flags=re.I)
UNLOADED = re.compile(r"rel=[\"']?(?:canonical|next|prev|index|search|author|license)")


def find_outside(text: str, *, is_style: bool) -> list[str]:
    """Return the addresses on other hosts that a browser would load for a page or a style sheet."""
    found: list[str] = STYLED.findall(text)
    if not is_style:
        found += LOADED.findall(text)
        for tag in LINKED.findall(text):
            if not UNLOADED.search(tag):
                found += re.findall(r"href=[\"']([^\"']+)", tag)
    return [address for address in found if re.match(r"(?:[a-z]+:)?//", address)]


def check_site(site: pathlib.Path) -> list[str]:
    """Return what pages and styles of a built site would load from other hosts, with the file that asks."""
    files = sorted(path for path in site.rglob("*") if path.suffix in (".html", ".css"))
    found = ((file, find_outside(file.read_text(encoding="utf-8"), is_style=file.suffix == ".css")) for file in files)
    return [f"{file.relative_to(site)}: {address}" for file, addresses in found for address in addresses]


def write_font(site: pathlib.Path) -> pathlib.Path:
    """Write the font of the house, cut to what the pages show beyond Latin, beside the style that names it."""
    from qbase.core.shown.fonts import subset_woff2

    # Sphinx listens to every library
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    shown = {sign for page in site.rglob("*.html") for sign in page.read_text(encoding="utf-8") if sign >= "\u2e80"}
    font = site / "_static" / "qbase.woff2"
    font.write_bytes(subset_woff2(shown))
    return font


def main() -> int:
    """Run Sphinx; a warning, or anything asked of another host, fails the build."""
    from sphinx.cmd.build import main as build

    words = ["-q", "-W", "--keep-going", "-b", "html", "-d", str(ROOT / "build" / "docs-read")]
    failed = build([*words, str(ROOT / "docs"), str(SITE)])
    if not failed:
        write_font(SITE)
    asked = check_site(SITE)
    sys.stderr.writelines(f"asks another host: {line}\n" for line in asked)
    if failed or asked:
        return 1
    sys.stdout.write(f"{SITE.relative_to(ROOT) / 'index.html'}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
