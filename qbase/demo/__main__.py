"""``python -m qbase.demo --size small --seed 7 --out DIR``: the province with its truth, for tests and studies."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from qbase.core.errors import QbaseError
from qbase.demo.province_folder import write_all
from qbase.demo.world.scenario import DIMENSIONS, SEED


def main(argv: Sequence[str] | None = None) -> int:
    """Write the province and print the hash of every table.

    Parameters
    ----------
    argv : sequence of str, optional
        Command line without the program.

    Returns
    -------
    int
        Exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m qbase.demo", description=__doc__)
    parser.add_argument("--size", choices=tuple(DIMENSIONS), default="small", help="12 or 36 clusters, or 31 provinces")
    parser.add_argument("--seed", type=int, default=SEED, help="same seed, same bytes")
    parser.add_argument("--out", type=Path, required=True, help="an empty or a new folder")
    given = parser.parse_args(argv)
    try:
        hashes = write_all(given.out, size=given.size, seed=given.seed)
    except QbaseError as error:
        sys.stderr.write(f"{error.render('en')}\n")
        return error.exit_code
    sys.stdout.write("".join(f"{digest[:16]}  {name}\n" for name, digest in hashes.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
