"""The house style for matplotlib and seaborn, with Chinese letters that survive ``sns.set_theme()``.

Our own figures are drawn under `house_rc`, whatever the settings outside; `use_theme` gives a
researcher's own drawings the same look.
"""

from __future__ import annotations

import functools
import os
import warnings
from typing import Any, Literal

from qbase.core.errors import UsageError
from qbase.core.shown.fonts import FAMILY, font_file
from qbase.core.shown.palette import LIGHT as P

# matplotlib falls back glyph by glyph only inside an explicit list, never inside "sans-serif"
FAMILIES = (FAMILY, "DejaVu Sans")
SERIES = tuple(P[role] for role in ("blue", "orange", "teal", "plum", "gold", "grey"))
MISSING = r"Glyph \d+ .* missing from"


@functools.cache
def register_font() -> str:
    """Make the Chinese font known to matplotlib and return its family name.

    Raises
    ------
    SetupError
        The font package is missing (QB160).
    """
    from matplotlib import font_manager

    font_manager.fontManager.addfont(str(font_file()))
    return FAMILY


def house_rc() -> dict[Any, Any]:
    """Return the settings of the house; also fit for ``sns.set_theme(rc=house_rc())``.

    Returns
    -------
    dict
        matplotlib rcParams: font, palette, grid, sizes, SVG text that stays text.

    Examples
    --------
    >>> from qbase.figures import house_rc
    >>> style = house_rc()
    >>> style["svg.fonttype"], style["font.size"], style["axes.prop_cycle"].by_key()["color"][0]
    ('none', 13.0, '#1f5fa8')
    """
    from cycler import cycler

    register_font()
    return {
        "font.family": list(FAMILIES), "font.size": 13.0, "font.weight": "normal", "axes.unicode_minus": True,
        "svg.fonttype": "none", "svg.hashsalt": "qbase", "path.simplify": True,
        "figure.figsize": (820 / 72, 400 / 72), "figure.dpi": 72.0, "figure.facecolor": P["bg"],
        "figure.titlesize": 16.0, "savefig.facecolor": "auto", "savefig.edgecolor": "none", "savefig.bbox": None,
        "axes.facecolor": "none", "axes.edgecolor": P["line"], "axes.linewidth": 1.0, "axes.axisbelow": True,
        "axes.labelcolor": P["mut"], "axes.labelsize": 13.0, "axes.titlesize": 16.0, "axes.titleweight": "normal",
        "axes.titlelocation": "left", "axes.labelweight": "normal", "axes.titlecolor": P["ink"],
        "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False, "axes.spines.bottom": True,
        "axes.grid": True, "axes.grid.axis": "y", "axes.grid.which": "major", "axes.prop_cycle": cycler(color=SERIES),
        "axes.xmargin": 0.0, "axes.ymargin": 0.0,
        "grid.color": P["grid"], "grid.linewidth": 1.0, "grid.linestyle": "-", "grid.alpha": 1.0,
        "text.color": P["ink"], "text.usetex": False, "xtick.color": P["line"], "ytick.color": P["line"],
        "xtick.labelcolor": P["mut"], "ytick.labelcolor": P["mut"], "xtick.labelsize": 13.0, "ytick.labelsize": 13.0,
        "xtick.major.size": 0.0, "ytick.major.size": 0.0, "xtick.major.pad": 6.0, "ytick.major.pad": 6.0,
        "xtick.minor.size": 0.0, "ytick.minor.size": 0.0, "xtick.major.width": 1.0, "ytick.major.width": 0.0,
        "lines.linewidth": 1.6, "lines.markersize": 6.5, "lines.solid_capstyle": "butt", "patch.edgecolor": P["bg"],
        "legend.frameon": False, "legend.fontsize": 13.0,
    }  # fmt: skip


def use_theme(lang: Literal["zh", "en"] | None = None) -> None:
    """Give every drawing of this session the look of the house; one call, at the top of a letter.

    Call it again after ``sns.set_theme()``, which replaces the fonts, or pass the style along:
    ``sns.set_theme(rc=house_rc())``. Figures of `qbase.figures` do not depend on either.
    A drawing with a character that no font of the list holds fails from now on, instead of showing a box.

    Parameters
    ----------
    lang : {"zh", "en"} or None
        Language that previews show first; None leaves it as it is.

    Raises
    ------
    UsageError
        The language is neither (QB700).
    SetupError
        The font package is missing (QB160).

    Examples
    --------
    >>> import matplotlib
    >>> from qbase.figures import use_theme
    >>> use_theme("en")
    >>> matplotlib.rcParams["font.family"][0], matplotlib.rcParams["svg.fonttype"]
    ('Noto Sans SC', 'none')
    """
    import matplotlib as mpl

    if lang is not None:
        if lang not in {"zh", "en"}:
            raise UsageError(
                "QB700", lang=lang, found=repr(lang), expected="zh | en", fix='use_theme("zh") or use_theme("en")'
            )
        os.environ["QBASE_LANG"] = lang
    mpl.rcParams.update(house_rc())
    warnings.filterwarnings("error", message=MISSING, category=UserWarning)
