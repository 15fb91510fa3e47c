#!/usr/bin/env bash
# pysyncon 1.7.0: with few predictors the synthetic control is an arbitrary one of many, far from the best, without a word.
# Seen 2026-11-29 on CPython 3.11: 12 donors, 2 predictors, and a treated unit that is exactly 0.5, 0.3 and 0.2 of three
# donors in both predictors and in the whole path, so the loss can be 0 and the effect is 0. Synth balances both predictors
# to 1e-7 and returns weight on all 12 donors, loss 0.769 and an effect of 0.90, from either of its starts: where many
# weights match the predictors, no importance V tells them apart, and the quadratic solver stops at the one it meets first.
# Guarded in qbase/effects/donors/predictor_weights.py: such ties go to the weights whose path before the start fits best.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pysyncon==1.7.0 pandas==3.1.1 numpy==2.4.6 scipy==1.17.1
cat > "$folder/try.py" <<'PY'
import warnings

import numpy as np
import pandas as pd
from pysyncon import Dataprep, Synth

warnings.simplefilter("ignore")
rng = np.random.default_rng(8)
donors, before, after = 12, 10, 5
paths = rng.normal(size=(donors, before + after)).cumsum(axis=1) + 20
predictors = rng.normal(size=(donors, 2))
true = np.zeros(donors)
true[[1, 4, 7]] = 0.5, 0.3, 0.2
y, x = np.vstack([paths, true @ paths]), np.vstack([predictors, true @ predictors])
rows = [(f"u{i:02d}", t, y[i, t], *x[i]) for i in range(donors + 1) for t in range(before + after)]
prepared = Dataprep(
    foo=pd.DataFrame(rows, columns=["unit", "time", "y", "a", "b"]), predictors=["a", "b"], predictors_op="mean",
    time_predictors_prior=range(before), dependent="y", unit_variable="unit", time_variable="time",
    treatment_identifier=f"u{donors:02d}", controls_identifier=[f"u{i:02d}" for i in range(donors)],
    time_optimize_ssr=range(before),
)
others, treated = prepared.make_outcome_mats(time_period=range(before, before + after))
means, aim = prepared.make_covariate_mats()
for start in ("equal", "ols"):
    fit = Synth()
    fit.fit(prepared, optim_initial=start)
    unbalanced = float(np.abs(aim - means @ fit.W).max())
    effect = float((treated - others @ fit.W).mean())
    print(f"{start}: unbalanced {unbalanced:.0e}, donors {int((fit.W > 0.01).sum())}, "
          f"loss {fit.loss_V:.3f}, effect {effect:.2f}")
    assert unbalanced < 1e-5
print(f"possible: loss {float(((y[-1, :before] - true @ paths[:, :before]) ** 2).mean()):.3f}, effect 0.00, donors 3")
PY
seen="$("$folder/venv/bin/python" "$folder/try.py")"
printf '%s\n' "$seen"
[ "$(echo "$seen" | grep -c 'donors 12, loss 0.769, effect 0.90')" = 2 ] || { echo "changed: other weights are chosen"; exit 1; }
echo "as seen on 2026-11-29"
