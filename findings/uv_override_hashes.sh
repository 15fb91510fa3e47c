#!/usr/bin/env bash
# uv 0.13.9: a lock compiled with --override and --generate-hashes cannot be installed with --require-hashes by the same
# uv, unless the override is given again. The override drops a dependency from the lock (a marker that never holds), the
# install resolves the dependency anew from the metadata and finds no hash for it. Seen 2026-11-28 on CPython 3.11.
# qbase hands its overrides to both (Makefile: OVERRIDE).
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv tool
tool/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
uv="$folder/tool/bin/uv"
echo 'python-dateutil==2.9.0.post0' > wanted.txt
echo 'six ; python_version < "3.0"' > overrides.txt
"$uv" pip compile --quiet --universal --generate-hashes --override overrides.txt wanted.txt --output-file lock.txt
grep -q '^six' lock.txt && { echo "changed: the override no longer drops six from the lock"; exit 1; }
python3 -m venv target
install=("$uv" pip install --quiet --python target/bin/python --require-hashes --requirement lock.txt)
if told="$("${install[@]}" 2>&1)"; then
  echo "changed: the lock installs without its override"
  exit 1
fi
echo "$told"
grep -q 'no trusted hash was provided for: `six`' <<< "$told" || { echo "changed: it is refused for another reason"; exit 1; }
"${install[@]}" --override overrides.txt
target/bin/python -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("six") is not None)'
echo "with the override given again it installs, without six; as seen on 2026-11-28"
