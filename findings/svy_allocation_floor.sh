#!/usr/bin/env bash
# svy 0.35.0: a floor for strata is dropped although it fits, and the warning says that it does not fit.
# Seen 2026-12-01: three strata of 900, 90 and 10 units, 100 draws, min_n=3 (documented as the minimum per non-empty
# stratum). Three times 3 is 9 of 100, yet allocate(method="neyman") with equal deviations and allocate(method="proportional")
# both give 90, 9 and 1, with a warning that floors exceed n_total=100. With 120 draws the small stratum still gets 1. With
# deviations of .1, .1 and .5 the floor of the small one holds, since its own share is above it. A square-root allocation
# of the same numbers keeps it.
# A stratum with one draw has no variance of its own, and one with none has no rate: nine of two hundred plans of ours met it.
# Guarded by our own allocation (qbase.inspection), which keeps floors and number; tests/reference/test_allocation.py.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check svy==0.35.0 numpy==2.4.6
cat > "$folder/try.py" <<'PY'
import importlib.metadata
import sys
import warnings

import svy

SIZES = {"large": 900, "mid": 90, "small": 10}


def told(number, **options):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        drawn = svy.SampleSize().allocate(number, pop_size=SIZES, min_n=3, **options).n
    return list(drawn.values()), any(f"floors exceed n_total={number}" in str(one.message) for one in seen)


alike = {name: 0.3 for name in SIZES}
found = {
    "neyman, 100": told(100, method="neyman", sigma=alike),
    "proportional, 100": told(100, method="proportional"),
    "neyman, 120": told(120, method="neyman", sigma=alike),
    "neyman, small one varies": told(100, method="neyman", sigma=alike | {"large": 0.1, "mid": 0.1, "small": 0.5}),
    "square root, 100": told(100, method="proportional", power=0.5),
}
for name, value in found.items():
    print("svy", importlib.metadata.version("svy"), name, value)
wanted = {
    "neyman, 100": ([90, 9, 1], True),
    "proportional, 100": ([90, 9, 1], True),
    "neyman, 120": ([108, 11, 1], True),
    "neyman, small one varies": ([86, 9, 5], False),
    "square root, 100": ([70, 22, 8], False),
}
sys.exit(found != wanted)
PY
"$folder/venv/bin/python" "$folder/try.py"
