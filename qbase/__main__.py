"""``python -m qbase`` is the command ``qbase``."""

from __future__ import annotations

import sys

from qbase.cli.main import run

if __name__ == "__main__":
    sys.exit(run())
