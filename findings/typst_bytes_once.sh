#!/usr/bin/env bash
# typst 0.15.2 (PyPI, the binding to the typesetter): a compiler built on the text of a document compiles it once.
# Seen 2026-11-30: Compiler(input=b"= One").compile() makes a file; the second call of the same object, with another
# format, page or the same, raises "file not found" and names a file of its own invention in the working folder. A Compiler built on
# a path, or one given the text at each call, may be asked as often as one likes. So a program that keeps one compiler
# for a document's PDF and its pictures gets the first and blames its folder for the second.
# Guarded in qbase/reports/forms/pdf_form.py: the kept compiler holds the fonts alone; the text goes with each call.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check typst==0.15.2
cat > "$folder/try.py" <<'PY'
import importlib.metadata
import pathlib
import sys

import typst

TEXT = b"= One"


def twice(compiler, **given):
    """Compile a document as PDF and as a picture; say what came of each."""
    told = []
    for form in ("pdf", "svg"):
        try:
            told.append("made" if compiler.compile(format=form, **given) else "empty")
        except typst.TypstError as error:
            told.append("file not found" if "file not found" in str(error) else str(error))
    return told


path = pathlib.Path(sys.argv[1]) / "one.typ"
path.write_bytes(TEXT)
found = {
    "built on text": twice(typst.Compiler(input=TEXT)),
    "built on a path": twice(typst.Compiler(input=str(path))),
    "text at each call": twice(typst.Compiler(), input=TEXT),
}
print("typst", importlib.metadata.version("typst"), found)
wanted = {
    "built on text": ["made", "file not found"],
    "built on a path": ["made", "made"],
    "text at each call": ["made", "made"],
}
sys.exit(found != wanted)
PY
"$folder/venv/bin/python" "$folder/try.py" "$folder"
