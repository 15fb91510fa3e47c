"""Keep a letter's text and table outputs, drop pictures and execution metadata.

A letter is also a regression test: its outputs are committed. Pictures differ by machine and time stamps by the minute.
"""

from __future__ import annotations

import pathlib
import sys

import nbformat


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Remove image outputs and execution metadata in place and return the notebook."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    order = 0
    for cell in notebook.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k == "tags"}
        if cell.cell_type != "code":
            continue
        order += 1
        cell.outputs = [output for output in cell.outputs if not _is_live(output)]
        # nbval takes a cell without a count as never run
        cell.execution_count = order if cell.outputs or cell.execution_count else None
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = order
            if "metadata" in output:
                output.metadata = {}
            for kind in [k for k in output.get("data", {}) if k.startswith("image/")]:
                del output.data[kind]
    return notebook


def _is_live(output: nbformat.NotebookNode) -> bool:
    """Whether a kernel or a script is needed to see it: widgets, and tables that sort in the browser."""
    data = output.get("data", {})
    return "application/vnd.jupyter.widget-view+json" in data or "<script" in "".join(data.get("text/html", ""))


def main(paths: list[str]) -> int:
    """Clean the files named; exit 1 when one changed, as a hook does."""
    changed = 0
    for name in paths:
        path = pathlib.Path(name)
        before = path.read_text(encoding="utf-8")
        after = nbformat.writes(clean(nbformat.reads(before, as_version=4))) + "\n"
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed = 1
    return changed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
