#!/usr/bin/env bash
# maketables 0.2.0: stars cannot be switched off in the way its documentation gives, nor by leaving out the p value.
# Seen 2026-11-30: ETable(..., signif_code=[]), which its docstring names as the way to have no stars, raises ValueError and asks
# for three cut-offs; a plug-in model whose table has no column p raises KeyError although its cells ask for b alone. A
# column p without values gives a table without stars, and its foot explains stars that are nowhere all the same, unless
# the format of cells asks for none.
# Guarded in qbase/core/results/shown_cards.py: p is given empty, the p value under a name of its own.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check maketables==0.2.0 pandas==3.1.1 numpy==2.4.6
cat > "$folder/try.py" <<'PY'
import importlib.metadata
import sys

import maketables
import pandas as pd


class Model:
    __maketables_depvar__ = "rate"

    def __init__(self, **columns):
        self.table = pd.DataFrame({"b": [1.5], "se": [0.1], **columns}, index=["change"])

    @property
    def __maketables_coef_table__(self):
        return self.table

    def __maketables_stat__(self, key):
        return None


def told(model, **options):
    try:
        text = str(maketables.ETable([model], model_stats=[], **options).make(type="tex"))
    except (ValueError, KeyError) as error:
        return type(error).__name__
    body, _, foot = text.partition("bottomrule")
    return ("stars" if "*" in body else "no stars") + (", explained" if "Significance" in foot else "")


found = {
    "as documented": told(Model(p=[0.001]), signif_code=[]),
    "no column p": told(Model(), coef_fmt="b:.2f"),
    "by default": told(Model(p=[0.001])),
    "p empty": told(Model(p=[float("nan")])),
    "p empty, none asked for": told(Model(p=[float("nan")]), coef_fmt="b:.2f"),
}
print("maketables", importlib.metadata.version("maketables"), found)
wanted = {
    "as documented": "ValueError",
    "no column p": "KeyError",
    "by default": "stars, explained",
    "p empty": "no stars, explained",
    "p empty, none asked for": "no stars",
}
sys.exit(found != wanted)
PY
"$folder/venv/bin/python" "$folder/try.py"
