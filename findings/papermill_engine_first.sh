#!/usr/bin/env bash
# papermill 2.7.0: an engine that a package registers under the entry point "papermill.engine" cannot be imported before
# papermill. Loading papermill.engines loads all entry points at its end; where the import began in the engine's own module,
# that module is half loaded then and lacks its class, so both imports end in AttributeError. The other order works, and so
# does a module that imports nothing of papermill until its class is asked for (PEP 562). Seen 2026-11-29 on CPython 3.11.
# qbase names such a module (qbase/reports/executing/papermill_entries.py; tests/unit/reports/test_engines_agree.py).
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
mkdir "$folder/own"
cat > "$folder/own/pyproject.toml" <<'TOML'
[build-system]
requires = ["setuptools==80.9.0"]
build-backend = "setuptools.build_meta"
[project]
name = "own-engine"
version = "1"
[project.entry-points."papermill.engine"]
own = "own_engine:OwnEngine"
[tool.setuptools]
py-modules = ["own_engine"]
TOML
cat > "$folder/own/own_engine.py" <<'PY'
from papermill.engines import Engine


class OwnEngine(Engine):
    """Does nothing of its own."""
PY
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check papermill==2.7.0 "$folder/own"
cat > "$folder/try.py" <<'PY'
import importlib
import subprocess
import sys

if len(sys.argv) > 1:
    try:
        importlib.import_module(sys.argv[1])
        print("loaded")
    except Exception as error:
        print(type(error).__name__)
    raise SystemExit
seen = {
    first: subprocess.run([sys.executable, __file__, first], capture_output=True, text=True, check=True).stdout.strip()
    for first in ("papermill", "own_engine")
}
print(seen)
assert seen == {"papermill": "loaded", "own_engine": "AttributeError"}, "this has changed"
PY
"$folder/venv/bin/python" "$folder/try.py"
echo "as seen"
