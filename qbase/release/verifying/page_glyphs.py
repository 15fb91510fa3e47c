"""Which characters a page may leave to the reader's own fonts; everything else must be in the embedded one."""

from __future__ import annotations

from collections.abc import Container

# invisible, or drawn by every system: spaces and joiners, sub- and superscripts, arrows, mathematical operators,
# box drawing, blocks, geometric shapes, check marks, Latin and Greek letters with accents
DECLARED = (
    (0x0000, 0x001F), (0x007F, 0x024F), (0x0300, 0x03FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x209F),
    (0x20A0, 0x20CF), (0x2100, 0x21FF), (0x2200, 0x22FF), (0x2500, 0x25FF), (0x2713, 0x2718), (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
)  # fmt: skip


def is_declared(character: str) -> bool:
    """Whether a character is left to the reader's own fonts."""
    code = ord(character)
    return any(first <= code <= last for first, last in DECLARED)


def find_missing(text: str, covered: Container[int]) -> list[str]:
    """Return the characters of a text that neither the font draws nor the list leaves to the reader's fonts.

    Parameters
    ----------
    text : str
        All text of a page.
    covered : container of int
        Code points of the font.

    Returns
    -------
    list of str
        Sorted, each once.
    """
    return sorted(c for c in set(text) if ord(c) not in covered and not is_declared(c))


def name_characters(characters: list[str], most: int = 5) -> str:
    """Return characters as a reader can look them up: ``“龘” U+9F98``."""
    shown = [f"“{c}” U+{ord(c):04X}" for c in characters[:most]]
    rest = len(characters) - len(shown)
    return ", ".join(shown) + (f" +{rest}" if rest > 0 else "")
