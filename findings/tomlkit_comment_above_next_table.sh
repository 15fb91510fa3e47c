#!/usr/bin/env bash
# tomlkit 0.15.2: a comment above a table header belongs to the table before it, so deleting that table takes the comment
# of the next one along, and leaves its own behind. The text that is left is valid and says nothing of the loss; keeping
# comments where they are is what tomlkit is for. Seen 2026-11-30 on CPython 3.11. Passed by in qbase/reports/asking/spec_editing.py, which edits lines.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tomlkit==0.15.2
cat > "$folder/try.py" <<'PY'
import tomlkit

for header in ("[{0}]", "[schedule.{0}]"):
    text = "\n".join(["# of the file", "x = 1", "", "# of a", header.format("a"), "k = 1", "", "# of b", header.format("b"), "k = 2", ""])
    document = tomlkit.parse(text)
    assert tomlkit.dumps(document) == text
    where = document["schedule"] if "schedule" in header else document
    del where["a"]
    left = tomlkit.dumps(document)
    print(header, "| of a:", "# of a" in left, "| of b:", "# of b" in left)
PY
seen="$("$folder/venv/bin/python" "$folder/try.py")"
echo "$seen"
[ "$seen" = "$(printf '[{0}] | of a: True | of b: False\n[schedule.{0}] | of a: True | of b: False')" ] \
  || { echo "changed: deleting a table leaves other comments"; exit 1; }
echo "as seen on 2026-11-30"
