#!/usr/bin/env bash
# nbclient 0.11.0 with ipykernel 7.4.0 and jupyter_client 8.10.0: what a cell shows while its client is busy is lost without
# an error. The kernel's publishing socket (ZeroMQ XPUB) and the client's subscribing one hold a thousand messages each and
# drop what comes after, the end of the cell among it; nbclient then waits four seconds and goes on. A client that takes five
# seconds over the first output, as one does on a loaded machine, kept 52,616 of 60,000 displays and told nothing. papermill
# 2.7.0, which sets raise_on_iopub_timeout, calls the same a timeout of the cell. With both high-water marks at 0 nothing is
# lost. Seen 2026-11-29 on CPython 3.11.
# qbase sets both (qbase/reports/executing/run_kernel.py and kernel_engine.py; tests/faults/test_fault_inputs.py).
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  nbclient==0.11.0 ipykernel==7.4.0 jupyter_client==8.10.0 nbformat==5.11.1
cat > "$folder/try.py" <<'PY'
import time

import nbclient
from nbformat.v4 import new_code_cell, new_notebook

SHOWN = 60_000


class Busy(nbclient.NotebookClient):
    """Takes five seconds over the first output."""

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "display_data" and not cell.outputs:
            time.sleep(5)
        return super().process_message(msg, cell, cell_index)


cells = [new_code_cell(f"from IPython.display import display\nfor i in range({SHOWN}): display(i)"), new_code_cell("1")]
kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
Busy(notebook, kernel_name="python3").execute()
kept = len(notebook.cells[0].outputs)
print(f"{kept:,} of {SHOWN:,} outputs kept, no error, the next cell ran: {bool(notebook.cells[1].outputs)}")
assert kept < SHOWN, "this has changed"
PY
JUPYTER_DATA_DIR="$folder/data" "$folder/venv/bin/python" "$folder/try.py" 2> /dev/null
echo "as seen"
