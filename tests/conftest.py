"""What every test may ask for. Reasons of skips are listed at the end; QBASE_STRICT=1 turns a skip into a failure."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from qbase.lake import Workspace

# the suite is the same every time; `make fuzz` searches further with --hypothesis-profile=fuzz
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
STRICT = os.environ.get("QBASE_STRICT") == "1"


LATER = {
    2: (
        "DROP TABLE contracts",
        "ALTER TABLE deliveries DROP COLUMN by_table",
        "ALTER TABLE delivery_tables DROP COLUMN contract",
    ),
    3: (
        "DROP TABLE slots",
        "DROP TABLE run_steps",
        "DROP INDEX runs_of_slot",
        "DROP INDEX runs_in_state",
        "ALTER TABLE runs DROP COLUMN slot_key",
        "ALTER TABLE runs DROP COLUMN subject",
    ),
    4: ("DROP TABLE scheduled_slots",),
    5: ("DROP TABLE signoffs",),
    6: ("DROP TABLE release_steps",),
}
"""What the ledger got after a version: without it, a file is one of that version."""


@pytest.fixture(scope="session")
def make_older() -> Callable[[pathlib.Path, int], None]:
    """Return what makes the ledger in a file one of an older version."""

    def make(path: pathlib.Path, version: int) -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as ledger:
            for statement in (s for step in sorted(LATER, reverse=True) if step >= version for s in LATER[step]):
                ledger.execute(statement)
            ledger.execute(f"PRAGMA user_version = {version}")

    return make


@pytest.fixture(autouse=True)
def _outside_any_run(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in (
        "QBASE_RUN_DIR",
        "QBASE_RUN_ID",
        "QBASE_HOME",
        "QBASE_LANG",
        "QBASE_FAULT",
        "QBASE_LEDGER",
        "PGPASSFILE",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def project_root() -> pathlib.Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data, which is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def demo_lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Give the demo, made once for all processes of a call; a test that changes it takes a copy."""
    import fcntl

    from qbase.lake import Workspace

    own = tmp_path_factory.getbasetemp()
    home = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "demo_lake"
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "made").exists():
            words = [sys.executable, "-m", "qbase", "demo", "--no-run", "--quiet", "--home", str(home)]
            subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
            (home / "made").touch()
    return Workspace(home)


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("needs a Chromium browser (apt-get install chromium)")
    return found


@pytest.fixture(scope="session")
def firefox_program() -> str:
    found = shutil.which("firefox-esr") or shutil.which("firefox")
    if found is None:
        pytest.skip("needs Firefox (apt-get install firefox-esr)")
    return found


@pytest.fixture(scope="session")
def postgres() -> Iterator[pathlib.Path]:
    """Start PostgreSQL in a temporary folder and give its socket; it sorts as Chinese readers do, not by code point."""
    found = [shutil.which("initdb"), *map(str, sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")))]
    programs = next((pathlib.Path(path).resolve().parent for path in found if path), None)
    if programs is None:
        pytest.skip("needs PostgreSQL (apt-get install postgresql)")
    # a socket's path is short, and the server does not run as root
    folder = pathlib.Path(tempfile.mkdtemp(prefix="qbase-pg-"))
    own = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    if own:
        shutil.chown(folder, "postgres", "postgres")
    # it dies with this process, however that ends
    words = ["setpriv", *own, "--pdeathsig", "QUIT", "--"]
    make = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=zh"]
    quick = ["--no-sync", "--no-instructions"]
    made = [*words, programs / "initdb", "-D", folder / "data", *make, *quick]
    subprocess.run(made, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    settings_of = ["listen_addresses=", "fsync=off", "max_connections=60", f"unix_socket_directories={folder}"]
    run = [*words, programs / "postgres", "-D", folder / "data", *(w for s in settings_of for w in ("-c", s))]
    with (folder.with_suffix(".log")).open("wb") as log:
        server = subprocess.Popen(run, cwd=folder, stdout=log, stderr=log)
    socket = folder / ".s.PGSQL.5432"
    try:
        for _ in range(600):
            if socket.exists() or server.poll() is not None:
                break
            time.sleep(0.05)
        assert server.poll() is None, folder.with_suffix(".log").read_text()
        yield socket
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.send_signal(3)
            server.wait()
        shutil.rmtree(folder)
        folder.with_suffix(".log").unlink()


_DATABASES = itertools.count(1)


@pytest.fixture
def new_database(postgres: pathlib.Path) -> Callable[..., str]:
    """Make an empty database and return its address."""
    import pg8000.dbapi

    def make(words: str = "") -> str:
        name = f"t{next(_DATABASES)}"
        for _ in range(100):
            try:
                asked = pg8000.dbapi.connect(
                    user="postgres", database="postgres", unix_sock=str(postgres), ssl_context=False
                )
                break
            except (pg8000.dbapi.InterfaceError, pg8000.dbapi.DatabaseError):  # it has just been started
                time.sleep(0.05)
        asked.autocommit = True
        asked.cursor().execute(f"CREATE DATABASE {name} {words}")
        asked.close()
        return f"postgresql+pg8000://postgres@/{name}?unix_sock={postgres}"

    return make


@pytest.fixture
def workspace(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Workspace:
    """Make an empty workspace; its ledger is a file, or on a server where a test asks for ``server``."""
    from qbase.lake import Workspace, move_ledger

    home = Workspace.create(tmp_path)
    if getattr(request, "param", "file") == "server":
        move_ledger(home, request.getfixturevalue("new_database")())
    return home


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Under QBASE_STRICT a skip fails, except for data that are not there."""
    outcome = yield
    report = outcome.get_result()
    asked = getattr(item, "fixturenames", ())
    excused = ("shared_data" in asked and not SHARED.is_dir()) or (
        "medicaid_panel" in asked and importlib.util.find_spec("moderndid") is None
    )
    if STRICT and report.skipped and not hasattr(report, "wasxfail") and not excused:
        report.outcome = "failed"
        report.longrepr = f"QBASE_STRICT: {item.nodeid} was skipped: {report.longrepr}"
