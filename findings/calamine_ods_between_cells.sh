#!/usr/bin/env bash
# python-calamine 0.9.1 refuses an .ods whose XML is indented between the cells of a row, which is how Gnumeric 1.12 writes
# every .ods and which OpenDocument allows: white space there means nothing. Indented between rows it is read. odfpy 1.4.1,
# by way of pandas 2.3.3, reads both alike. Seen 2026-11-29 on CPython 3.11.
# qbase reads .ods through calamine: such a file is given to it again without that white space.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check python-calamine==0.9.1 odfpy==1.4.1 pandas==2.3.3
cat > show.py <<'PY'
import zipfile

import pandas as pd
import python_calamine

KIND = "application/vnd.oasis.opendocument.spreadsheet"
NAMES = "".join(
    f' xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in {"office": "office", "table": "table", "text": "text", "manifest": "manifest"}.items()
)
ROWS = [["town", "passed"], ["Wangdai", "95"], ["Fengpu", "98"]]


def write(path: str, between_rows: str, between_cells: str) -> None:
    def cell(text: str) -> str:
        return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'

    rows = between_rows.join(
        "<table:table-row>" + between_cells + between_cells.join(map(cell, row)) + between_cells + "</table:table-row>"
        for row in ROWS
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content{NAMES} office:version="1.2"><office:body>'
        f'<office:spreadsheet><table:table table:name="s">{rows}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    manifest = (
        f'<?xml version="1.0" encoding="UTF-8"?><manifest:manifest{NAMES} manifest:version="1.2">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{KIND}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
    )
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("mimetype", KIND)
        package.writestr("content.xml", content)
        package.writestr("META-INF/manifest.xml", manifest)


def calamine(path: str) -> str:
    try:
        book = python_calamine.CalamineWorkbook.from_path(path)
        return f"{len(book.get_sheet_by_index(0).to_python())} rows"
    except python_calamine.CalamineError as error:
        return f"refused: {error}"


for name, rows, cells in (("tight", "", ""), ("rows", "\n  ", ""), ("cells", "\n  ", "\n    ")):
    write(f"{name}.ods", rows, cells)
    frame = pd.read_excel(f"{name}.ods", engine="odf", header=None, dtype=str)
    print(f"{name}: calamine {calamine(f'{name}.ods')} | odfpy {frame.values.tolist()}".replace("\n", "\\n"))
PY
told="$(env/bin/python show.py)"
echo "$told"
[ "$(grep -c "odfpy \[\['town', 'passed'\], \['Wangdai', '95'\], \['Fengpu', '98'\]\]" <<< "$told")" = 3 ] \
  || { echo "changed: odfpy no longer reads the three alike"; exit 1; }
grep -q '^tight: calamine 3 rows' <<< "$told" || { echo "changed: calamine no longer reads the tight one"; exit 1; }
grep -q '^rows: calamine 3 rows' <<< "$told" || { echo "changed: calamine no longer reads it indented between rows"; exit 1; }
grep -q '^cells: calamine refused' <<< "$told" || { echo "changed: calamine reads it indented between cells"; exit 1; }
echo "refused for white space between cells alone; as seen on 2026-11-29"
