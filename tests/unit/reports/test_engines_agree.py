"""Both engines show the same: one battery of cells, run in a kernel and in a fork, compared output by output."""

# ruff: noqa: E501  (cells are one line each)
from __future__ import annotations

import importlib
import pathlib
import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from qbase.reports.executing.papermill_engine import Job, execute

PROJECT = pathlib.Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks need Linux")

BATTERY = {
    "prints": "print('a'); print('b', end=''); print('中文')",
    "both streams": "import sys\nprint('out 1'); print('err 1', file=sys.stderr); print('out 2'); sys.stderr.write('err 2')",
    "streams in time": (
        "import sys, time\nprint('one', flush=True); time.sleep(.7); print('two', file=sys.stderr); time.sleep(.7)\n"
        "print('three')"
    ),
    "result": "6 * 7",
    "semicolon": "kept = 5\nkept;",
    "result of assignment": "last = _\nlast",
    "print around a display": "print('before'); display({'a': 1}); print('after')",
    # what a program writes comes through a pipe: a busy kernel may end the cell before it has read it
    "program": "import os, time\n_ = os.system('echo from a program'); time.sleep(1)",
    "program to stderr": "_ = os.system('echo complaint >&2'); time.sleep(1)",
    "program between prints": "print('first', flush=True); _ = os.system('echo second'); time.sleep(1); print('third')",
    "much from a program": "_ = os.system('seq 40000'); time.sleep(1)",
    "shell": "!echo shell; false\n_exit_code",
    "capture": "%%capture kept_output\nprint('hidden')",
    "captured": "kept_output.stdout",
    "forked child": "pid = os.fork()\nif pid == 0:\n    print('child', 1, flush=True)\n    os._exit(0)\n_ = os.waitpid(pid, 0)",
    "pool": (
        "import multiprocessing\ndef square(x):\n    print('square', x, flush=True)\n    return x * x\n"
        "with multiprocessing.get_context('fork').Pool(1) as pool:\n    print(pool.map(square, [2, 3]))"
    ),
    "thread": "import threading\nt = threading.Thread(target=lambda: print('from a thread'))\nt.start(); t.join()",
    "late thread": (
        "import time\nlate = threading.Thread(target=lambda: (time.sleep(.6), print('late from a thread', flush=True)))\n"
        "late.start()"
    ),
    "where the late thread prints": "late.join(); time.sleep(.1)",
    "pool of threads": (
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as pool:\n"
        "    print(sorted(pool.map(lambda x: x + 1, range(5))))"
    ),
    "await": "import asyncio\nawait asyncio.sleep(.01)\nprint('awaited')",
    "task": "async def told():\n    await asyncio.sleep(.3)\n    print('from a task')\ntask = asyncio.create_task(told())",
    "where the task prints": "await asyncio.sleep(.8)\nprint('waited')",
    "loop runs": "asyncio.get_running_loop().is_running()",
    "no loop in a loop": "async def one(): return 1\ntry:\n    asyncio.run(one())\nexcept RuntimeError as error:\n    print(error)",
    "display update": "handle = display('first', display_id='q')\nhandle.update('second')",
    "display update later": "handle.update('third')",
    "clear": "from IPython.display import clear_output\nprint('gone'); clear_output(); print('stays')",
    "clear and wait": "display('old'); clear_output(wait=True); display('new')",
    "rich": "from IPython.display import HTML, Latex, Markdown, SVG, JSON\ndisplay(HTML('<b>b</b>'), Latex('$x$'), Markdown('*m*'))",
    "own MIME type": "display({'application/vnd.own+json': {'a': [1, None, 2.5]}, 'text/plain': 'own'}, raw=True)",
    "metadata": "display(HTML('x'), metadata={'text/html': {'isolated': True}})",
    "bytes": (
        "class Png:\n    def _repr_png_(self): return b'\\x89PNG\\r\\n\\x1a\\n'\n    def __repr__(self): return 'png'\nPng()"
    ),
    "bundle": "class Both:\n    def _repr_mimebundle_(self, include=None, exclude=None): return {'text/plain': 'p', 'text/html': '<i>h</i>'}\nBoth()",
    "broken repr": "class Broken:\n    def _repr_html_(self): raise ValueError('no html')\n    def __repr__(self): return 'broken'\nBroken()",
    "frame": "import pandas as pd\npd.DataFrame({'rate': [0.5, None], '名': ['a', 'b']})",
    "figure": "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(2, 1))\nax.plot([1, 3, 2]);",
    "two figures": "plt.figure(figsize=(1, 1)); plt.plot([1]); plt.figure(figsize=(1, 1)); plt.plot([2]); print('drawn')",
    "shown figure": "plt.plot([3, 1])\nplt.show()\nprint('after the figure')",
    "svg figures": "%config InlineBackend.figure_formats = ['png']\n%matplotlib inline\nfig, ax = plt.subplots(figsize=(1, 1))",
    "seaborn": "import seaborn as sns\nax = sns.lineplot(x=[1, 1, 2, 2], y=[1, 2, 3, 5], seed=1)",
    "warning": "import warnings\nwarnings.warn('be careful')",
    "warned once": "warnings.warn_explicit('of old', DeprecationWarning, 'x.py', 1)",
    "random": "import random\nimport numpy as np\nrandom.random(), float(np.random.random()), float(np.random.default_rng(3).random())",
    "hash": "hash('a text'), list({'x', 'y', 'zz'})",
    "history": "len(In), _ih[1][:9], sorted(Out)[:1]",
    "inner": "__name__, get_ipython().__class__.__mro__[-4].__name__, 'ipykernel' in str(get_ipython().__class__.__mro__)",
    "input": "try:\n    input('? ')\nexcept Exception as error:\n    print(type(error).__name__, error)",
    "terminal": "sys.stdout.isatty(), sys.stdout.encoding, os.getcwd() == os.environ['HERE'], sys.argv[0] != ''",
    "pickle": "import pickle\nclass Kept: pass\ntype(pickle.loads(pickle.dumps(Kept()))).__name__",
    "timeit": "%timeit -n1 -r1 -q pass",
    "magics": "%precision 3\n3.14159265",
    "store": "get_ipython().find_line_magic('store') is not None",
    "long": "list(range(1200))",
    "nothing": "# only a word",
    "empty": "",
    "expected error": "def inner():\n    raise KeyError('missing')\ninner()",
    "after the error": "print('goes on')",
    "last": "sum(range(10))",
}  # fmt: skip
ALLOWED_TO_FAIL = {"expected error", "broken repr"}


def run(folder: pathlib.Path, engine: Any, cells: dict[str, str]) -> Job:
    """Run cells; the run folder is also the working folder."""
    folder.mkdir()
    made = [new_code_cell(source) for source in cells.values()]
    for name, made_cell in zip(cells, made, strict=True):
        made_cell.metadata["tags"] = ["raises-exception"] if name in ALLOWED_TO_FAIL else []
    job = Job(
        notebook=new_notebook(cells=made),
        params={},
        root=folder,
        folder=folder,
        environment={"HERE": str(folder), "QBASE_SEED": "7"},
        seconds=100,
        engine=engine,
    )
    execute(job)
    return job


def plain(value: Any) -> Any:
    """Return outputs without what differs between two runs of one engine: addresses and process ids."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, str):
        return re.sub(r"0x[0-9a-f]{6,}", "0x…", re.sub(r"ipykernel_\d+/\d+\.py", "ipykernel_…", value))
    return value


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, Job]:
    folder = tmp_path_factory.mktemp("engines")
    jobs = run(folder / "kernel", "kernel", BATTERY), run(folder / "fork", "fork", BATTERY)
    assert "instead of" not in (folder / "fork" / "log.txt").read_text(encoding="utf-8")
    return jobs


@pytest.mark.parametrize("name", BATTERY)
def test_a_cell_shows_the_same_in_a_fork(both: tuple[Job, Job], name: str) -> None:
    kernel, fork = ((job.executed or {"cells": []})["cells"][list(BATTERY).index(name)] for job in both)
    assert plain(fork.outputs) == plain(kernel.outputs)
    assert fork.execution_count == kernel.execution_count


def test_the_battery_can_fail(both: tuple[Job, Job]) -> None:
    """Every kind of output is in it, and what is known to differ between careless engines."""
    cells = dict(zip(BATTERY, (both[1].executed or {"cells": []})["cells"], strict=True))
    kinds = {output.output_type for cell in cells.values() for output in cell.outputs}
    assert kinds == {"stream", "display_data", "execute_result", "error"}
    assert cells["last"].outputs[0]["data"]["text/plain"] == "45"
    assert cells["semicolon"].outputs == []
    assert cells["program"].outputs[0].text == "from a program\n"
    assert cells["display update"].outputs[0]["data"]["text/plain"] == "'third'"
    assert cells["much from a program"].outputs[0].text.endswith("\n40000\n")
    assert "image/png" in cells["figure"].outputs[0]["data"]
    assert [o.output_type for o in cells["two figures"].outputs] == ["stream", "display_data", "display_data"]
    assert cells["where the late thread prints"].outputs[0].text == "late from a thread\n"
    assert "from a task" not in str(cells["where the task prints"].outputs)
    languages = [(job.executed or {}).get("metadata", {}).get("language_info") for job in both]
    assert languages[0] == languages[1]
    assert languages[0]["name"] == "python"


@pytest.mark.parametrize("engine", ["qbase-kernel", "qbase-fork"])
def test_papermill_knows_the_engines_by_name(engine: str, tmp_path: pathlib.Path) -> None:
    """As the papermill command takes them, with parameters and a thread whose failure papermill would not notice."""
    import papermill
    from papermill.engines import papermill_engines

    from qbase.core.errors import RunError
    from qbase.reports.executing.papermill_entries import ForkEngine, KernelEngine

    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    module, _, name = declared["papermill.engine"][engine].partition(":")
    known = getattr(importlib.import_module(module), name)
    assert known is {"qbase-kernel": KernelEngine, "qbase-fork": ForkEngine}[engine]
    papermill_engines.register(engine, known)
    how: dict[str, Any] = {"engine_name": engine, "kernel_name": "python3", "language": "python", "progress_bar": False}
    notebook = new_notebook(
        cells=[new_code_cell("x = 1", metadata={"tags": ["parameters"]}), new_code_cell("print(x + 1)")]
    )
    done = papermill.execute_notebook(notebook, str(tmp_path / "out.ipynb"), parameters={"x": 41}, **how)
    assert done.cells[-1].outputs[0].text == "42\n"
    failing = new_notebook(
        cells=[new_code_cell("import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start(); t.join()")]
    )
    with pytest.raises(RunError) as caught:
        papermill.execute_notebook(failing, None, **how)
    assert caught.value.code == "QB834"


@pytest.mark.parametrize(
    "first",
    [
        "papermill", "qbase.reports.executing.papermill_engine", "qbase.reports.executing.papermill_entries",
        "qbase.reports.executing.cell_client", "qbase.reports.executing.fork_engine",
        "qbase.reports.executing.kernel_engine",
    ],
)  # fmt: skip
def test_either_side_may_be_imported_first(first: str) -> None:
    code = (
        f"import {first}, papermill.engines as e; print(*sorted(n for n in e.papermill_engines._engines if n), sep=' ')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "qbase-fork qbase-kernel" in done.stdout, done.stderr
