"""What a bureau would send: tidy files, and the same content as it really arrives."""

from __future__ import annotations

from pathlib import Path

from qbase.demo.province import Province, build_province
from qbase.demo.sending.messy_files import write_messy_inspections
from qbase.demo.sending.office_files import write_office_tables
from qbase.demo.sending.planted_faults import Planted
from qbase.demo.sending.tidy_files import write_tidy
from qbase.demo.world.scenario import SEED, Size, Streams


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
        The tidy files, in the order they should be loaded. The messy ones lie beside them and ask for recipes.

    Examples
    --------
    >>> import pathlib
    >>> from qbase.demo import write_deliveries
    >>> write_deliveries(pathlib.Path("deliveries"), size="nation")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB372] size nation is not built in memory
      found     size='nation'
      expected  small | province
      to fix    python -m qbase.demo --size nation --out DIR
    """
    province = build_province(size, seed)
    write_messy(folder / "messy", province)
    return write_tidy(folder / "tidy", province.tables)


def write_messy(folder: Path, province: Province) -> tuple[list[Path], Planted]:
    """Write the messy deliveries and return the book of what was planted in them.

    Parameters
    ----------
    folder : Path
        Where to.
    province : Province
        Clean tables.

    Returns
    -------
    tuple of list of Path and Planted
        Files, and every fault put into them on purpose.
    """
    planted, streams = Planted(), Streams(seed=province.seed)
    tables = province.tables
    paths = write_messy_inspections(folder, tables, streams, planted)
    return [*paths, *write_office_tables(folder, tables, streams, planted)], planted
