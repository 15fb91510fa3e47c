#!/usr/bin/env bash
# pyfixest 0.60.0: a clustered standard error that depends on PYTHONHASHSEED when the formula has no spaces.
# Seen 2026-11-28 on CPython 3.11: "y~d|unit+time" gives two different standard errors over eight hash seeds,
# "y ~ d | unit + time" one. The estimate is the same in all. Guarded in qbase/effects/fitting (our own formula and factor).
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyfixest==0.60.0 pandas==3.1.1 numpy==2.4.6
cat > "$folder/try.py" <<'PY'
import sys
import warnings

import numpy as np
import pandas as pd

warnings.simplefilter("ignore")
import pyfixest as pf

rng = np.random.default_rng(5)
units, times = 12, 8
frame = pd.DataFrame([(u, t) for u in range(units) for t in range(times)], columns=["unit", "time"])
frame["d"] = ((frame["unit"] < 5) & (frame["time"] >= 4)).astype(int)
frame["y"] = rng.normal(size=len(frame)) + 0.3 * frame["unit"] + 0.1 * frame["time"] + frame["d"]
fit = pf.feols(sys.argv[1], frame, vcov={"CRV1": "unit"})
print(f"{fit.coef()['d']:.6f} {fit.se()['d']:.6f}")
PY
count() { for seed in 0 1 2 3 4 5 6 7; do PYTHONHASHSEED=$seed "$folder/venv/bin/python" "$folder/try.py" "$1"; done | sort | uniq -c; }
dense="$(count 'y~d|unit+time')"
spaced="$(count 'y ~ d | unit + time')"
printf 'without spaces:\n%s\nwith spaces:\n%s\n' "$dense" "$spaced"
[ "$(echo "$spaced" | wc -l)" = 1 ] || { echo "changed: with spaces the standard error varies too"; exit 1; }
[ "$(echo "$dense" | wc -l)" = 2 ] || { echo "changed: without spaces it no longer takes two values"; exit 1; }
[ "$(echo "$dense" | awk '{print $2}' | sort -u | wc -l)" = 1 ] || { echo "changed: the estimate varies"; exit 1; }
echo "as seen on 2026-11-28"
