#!/usr/bin/env bash
# pyfixest 0.60.0: event_study(estimator="saturated") takes the cohort of a unit not from gname, which is documented as its
# "unit-specific time of initial treatment", but from the first treated period it has a row in. Seen 2026-11-29 on CPython
# 3.11, without noise, effect 1 at the start and 1 more each period: a unit without a row in its first treated period is
# filed under a cohort nobody belongs to, and aggregate() ends in KeyError; one without rows until another cohort starts is
# filed under that one without a word, and of trends that are parallel aggregate() says leads of −0.122 and an effect of
# 1.071 at the start. Gaps anywhere else do no harm, not even a cohort without any row in a period; and the same regression
# written out with the cohorts of gname gives 0 and 1 on every panel. A row that is there with a missing outcome keeps the
# cohort. qbase takes the start from the policy's spells (tests/unit/effects/test_extras.py holds it to that).
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

print(f"pyfixest {pf.__version__}, pandas {pd.__version__}, numpy {np.__version__}")
start = np.where(np.arange(24) < 6, 5, np.where(np.arange(24) < 12, 7, 0))  # 6 units from 5 on, 6 from 7 on, 12 never
frame = pd.DataFrame([(u, t, start[u]) for u in range(24) for t in range(1, 11)], columns=["unit", "time", "first"])
frame["since"] = (frame["time"] - frame["first"]).where(frame["first"] > 0, np.inf)
effect = np.where(frame["since"].between(0, 9), 1.0 + frame["since"], 0.0)
frame["y"] = 0.3 * frame["unit"] + 0.1 * frame["time"] + effect
one, time = frame["unit"] == 0, frame["time"]
panels = {
    "every row": frame,
    "gaps elsewhere": frame[~(one & (time == 8)) & ~((frame["first"] == 7) & (time == 9))],
    "empty outcome": frame.assign(y=frame["y"].mask(one & (time == 5))),
    "not seen at 5": frame[~(one & (time == 5))],
    "not seen at 5, 6": frame[~(one & time.isin([5, 6]))],
}


def spoken(panel):
    """What aggregate() says of the earliest lead and of the start."""
    fit = pf.event_study(panel, "y", "unit", "time", "first", estimator="saturated", cluster="unit")
    try:
        path = fit.aggregate()["Estimate"].astype(float)
    except KeyError as error:
        return f"KeyError {error}"
    return f"lead {abs(path[-6.0]) if abs(path[-6.0]) < 5e-4 else path[-6.0]:.3f} start {path[0.0]:.3f}"


def written_out(panel):
    """The largest distance from the truth of the same regression with the cohorts of gname."""
    fit = pf.feols("y ~ i(since, first, ref = -1, ref2 = 0) | unit + time", panel, vcov={"CRV1": "unit"})
    since = [float(name.split("::")[1].split(":")[0]) for name in fit.coef().index]
    return max(abs(b - (1 + s if s >= 0 else 0)) for b, s in zip(fit.coef(), since))


seen = {name: spoken(panel) for name, panel in panels.items()}
for name, panel in panels.items():
    print(f"{name:17} {seen[name]:28} written out: off by {written_out(panel):.0e}")
expected = {
    "every row": "lead 0.000 start 1.000",
    "gaps elsewhere": "lead 0.000 start 1.000",
    "empty outcome": "lead 0.000 start 1.000",
    "not seen at 5": "KeyError (6, -6.0)",
    "not seen at 5, 6": "lead -0.122 start 1.071",
}
changed = [name for name in panels if seen[name] != expected[name] or written_out(panels[name]) > 1e-4]
sys.exit(f"changed: {', '.join(changed)}" if changed else 0)
PY
"$folder/venv/bin/python" "$folder/try.py"
echo "as seen on 2026-11-29"
