"""The colours of the house by role, light and dark. Meaning rests on blue against orange only."""

from __future__ import annotations

LIGHT = {
    "bg": "#ffffff", "panel": "#f4f7fa", "card": "#ffffff", "ink": "#16222e", "mut": "#4d5b68",
    "line": "#c9d3dc", "grid": "#e3e9ee", "blue": "#1f5fa8", "orange": "#a84706", "plum": "#8a2c6b",
    "teal": "#14776b", "gold": "#7a5806", "grey": "#6f7b86", "bluef": "#cfe0f2", "orangef": "#f8dcc6",
    "plumf": "#ecd3e3", "tealf": "#cbe7e2", "goldf": "#f5e6bd", "greyf": "#e6ebef", "link": "#1a5396",
}  # fmt: skip
DARK = {
    "bg": "#10171e", "panel": "#18222c", "card": "#1b2630", "ink": "#e8eef3", "mut": "#a9b7c3",
    "line": "#3a4855", "grid": "#2a3641", "blue": "#7fb6f0", "orange": "#f2a25c", "plum": "#e29ac9",
    "teal": "#5cc9b8", "gold": "#e3bd58", "grey": "#93a1ad", "bluef": "#20415f", "orangef": "#57351a",
    "plumf": "#4d2a42", "tealf": "#1c4842", "goldf": "#4a3d19", "greyf": "#2c3843", "link": "#8fc0f5",
}  # fmt: skip

# a drawing writes the light hex; the page swaps it for the variable, so one drawing serves light, dark and print
DRAWING_ROLES = tuple(role for role in LIGHT if role not in {"card", "link"})


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb`` (WCAG 2.2 definition)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    """Return the WCAG contrast ratio of two colours, 1 to 21."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def css_variables(theme: dict[str, str]) -> str:
    """Return the theme as CSS custom properties."""
    return ";".join(f"--{role}:{colour}" for role, colour in theme.items())
