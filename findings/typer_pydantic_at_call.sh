#!/usr/bin/env bash
# typer 0.29.2: importing typer and declaring a command imports no pydantic; calling it does, also where the one option
# keeps its default and nothing was given to be judged. A command that looks light after import pays for pydantic at
# every call. Seen 2026-11-28 on CPython 3.11. Passed by in qbase/cli/speaking/plain_values.py, held by
# tests/unit/cli/test_start_imports.py.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check typer==0.29.2
cat > "$folder/try.py" <<'PY'
import sys

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(number: int = 3) -> None:
    print(f"called with {number}: {'pydantic' in sys.modules}")


print(f"declared: {'pydantic' in sys.modules}")
app()
PY
seen="$("$folder/venv/bin/python" "$folder/try.py")"
echo "$seen"
[ "$seen" = "$(printf 'declared: False\ncalled with 3: True')" ] || { echo "changed: pydantic is imported elsewhere, or not at all"; exit 1; }
echo "as seen on 2026-11-28"
