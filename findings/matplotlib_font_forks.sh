#!/usr/bin/env bash
# matplotlib 3.11.2: a font opened by path is read through one open file, whose position forked processes share.
# Seen 2026-11-30 on CPython 3.11, Linux: FT2Font(path), then two forks that load every glyph at the same time, one from
# the front and one from the back: some load_char calls fail or warn that the glyph is missing, though the font has it,
# and which ones changes from run to run; alone each process loads them all. FT2Font(BytesIO(bytes)) loses none. So a
# server that forks workers after text was measured once draws boxes, or stops, now and then and never when looked at.
# Guarded in qbase/figures/surface/svg_elements.py: the font is read from memory.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check matplotlib==3.11.2 numpy==2.4.6
cat > "$folder/try.py" <<'PY'
import io
import os
import pathlib
import sys
import warnings

import matplotlib
from matplotlib.ft2font import FT2Font, LoadFlags

warnings.simplefilter("error")
path = pathlib.Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
ROUNDS = 20


def lost(font, codes):
    missed = 0
    for code in codes:
        try:
            font.load_char(code, flags=LoadFlags.NO_HINTING)
        except (RuntimeError, Warning):
            missed += 1
    return missed


def in_forks(font, codes):
    """Load all glyphs in two forks at once; return how many were lost."""
    total = 0
    for _ in range(ROUNDS):
        ends = []
        for order in (codes, codes[::-1]):
            read, write = os.pipe()
            if os.fork() == 0:
                os.write(write, str(lost(font, order)).encode())
                os._exit(0)
            os.close(write)
            ends.append(read)
        total += sum(int(os.read(end, 20)) for end in ends)
        for _ in ends:
            os.wait()
    return total


codes = sorted(FT2Font(str(path)).get_charmap())
found = {
    "alone": lost(FT2Font(str(path)), codes),
    "by path, two forks": in_forks(FT2Font(str(path)), codes),
    "from memory, two forks": in_forks(FT2Font(io.BytesIO(path.read_bytes())), codes),
}
print("matplotlib", matplotlib.__version__, found)
sys.exit(0 if found["by path, two forks"] > 0 == found["alone"] == found["from memory, two forks"] else 1)
PY
"$folder/venv/bin/python" "$folder/try.py"
