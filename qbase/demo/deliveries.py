"""What a bureau would send: tidy files, and the same content as it really arrives."""

from __future__ import annotations

from pathlib import Path

from qbase.demo.deliveries_tidy import write_tidy
from qbase.demo.province import build_province
from qbase.demo.scenario import SEED, Size


def write_deliveries(folder: Path, *, size: Size = "small", seed: int = SEED) -> list[Path]:
    """Write the deliveries of the province; the truth is never among them.

    Parameters
    ----------
    folder : Path
        ``tidy/`` and ``messy/`` are written below it.
    size : {"small", "province"}
        Which province.
    seed : int
        Same seed, same bytes.

    Returns
    -------
    list of Path
        The tidy files first, in the order they should be loaded.
    """
    province = build_province(size, seed)
    return write_tidy(folder / "tidy", province.tables)
