"""The ledger on a server: which one belongs to a workspace, who writes alone, and what is told when it is away."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import threading
import time

import pyarrow as pa
import pytest
import sqlalchemy as sa

from qbase.core import SetupError
from qbase.lake import Delivery, Workspace, find_ledger, move_ledger
from qbase.lake.ledger import ledger_settings, shared_engine, shared_ledger
from qbase.lake.ledger.ledger_address import find_password, read_address
from qbase.lake.ledger.ledger_schema import METADATA
from qbase.lake.ledger.shared_engine import connect_shared

SECRET = "Geh:e/im@42%"  # noqa: S105
SPELLED = "Geh%3Ae%2Fim%4042%25"


def load(workspace, name, *values):
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    delivery = Delivery(sha256=sha256, file_name=name, table="t", verdict="OK")
    return workspace.commit(delivery, {"t": pa.table({"v": pa.array(values, pa.int64())})})


def values(workspace, snapshot=None):
    return workspace.query("SELECT v FROM t ORDER BY v", snapshot=snapshot)["v"].tolist()


@pytest.fixture
def shared(tmp_path, new_database):
    home = Workspace.create(tmp_path / "home")
    move_ledger(home, new_database())
    return home


def test_an_address_is_read_and_said_again_without_its_password():
    found = read_address(f"postgresql+pg8000://of%40fice:{SPELLED}@db.example:6000/quality%20data")
    assert (found.user, found.password, found.host, found.port) == ("of@fice", SECRET, "db.example", 6000)
    assert str(found) == "postgresql+pg8000://of%40fice@db.example:6000/quality%20data"
    assert read_address(str(found)) == read_address(str(found).replace("postgresql+pg8000", "postgresql"))
    assert "e/im" not in repr(found) + str(found)
    ours = "postgresql+pg8000://o@/d?unix_sock=/run/a%20b/.s.PGSQL.5432"
    assert read_address(ours).socket == "/run/a b/.s.PGSQL.5432"
    for text in (ours, "postgresql+pg8000://o@[::1]/d"):
        assert read_address(str(read_address(text))) == read_address(text)


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql+pg8000://o:{SECRET}@db/d", f"mysql://o:{SPELLED}@db/d", f"postgresql://o:{SPELLED}@db",
        f"postgresql://:{SPELLED}@db/d", f"postgresql://o:{SPELLED}@/d", f"postgresql://o:{SPELLED}@db/d?sslmode=no",
        f"postgresql://o:{SPELLED}@db:66000/d", f"postgresql://o:{SPELLED}@[db/d", f"o:{SPELLED}@db/d", "x",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_never_repeated(tmp_path, monkeypatch, text):
    monkeypatch.setenv("QBASE_LEDGER", text)
    with pytest.raises(SetupError) as caught:
        _ = Workspace.create(tmp_path).book
    assert caught.value.code == "QB240"
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert not any(part in str(caught.value) for part in ("Geh", "e/im", "%3Ae", "66000"))


def test_a_password_comes_from_the_file_of_postgresql_when_nobody_else_can_read_it(tmp_path, monkeypatch):
    file = tmp_path / "pass"
    file.write_text(
        "# db.example:5432:quality:office:remark\nother:*:*:*:wrong\nbroken:line\n"
        "db.example:5432:quality:office:a\\:b\\\\c\n*:*:*:*:last\nlocalhost:5432:d:o:late\n"
    )
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    asked = {
        "postgresql://office@db.example/quality": "a:b\\c",
        "postgresql://office@db.example/else": "last",
        "postgresql://o@/d?unix_sock=/run/s": "last",
        "postgresql://office:own@db.example/quality": "own",
    }
    assert {url: find_password(read_address(url)) for url in asked} == asked
    file.chmod(0o640)
    assert find_password(read_address("postgresql://office@db.example/quality")) is None
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    assert find_password(read_address("postgresql://office@db.example/quality")) is None


def test_a_new_workspace_begins_its_ledger_where_the_environment_says(tmp_path, new_database, monkeypatch):
    monkeypatch.setenv("QBASE_LEDGER", new_database())
    home = Workspace.create(tmp_path)
    assert (home.snapshot().id, find_ledger(home).rows) == ("S0000", {})
    assert not home.book.marker.exists(), "looking changes nothing"
    assert load(home, "a", 1).id == "S0001"
    monkeypatch.delenv("QBASE_LEDGER")
    # from now on the workspace says it itself, on whatever machine
    assert (values(home), find_ledger(home).rows["deliveries"], home.ledger.exists()) == ([1], 1, False)


def test_the_ledger_of_another_workspace_is_never_used(tmp_path, shared, new_database, monkeypatch):
    load(shared, "a", 1)
    for name, make in (("new", lambda home: None), ("used", lambda home: load(home, "b", 2))):
        other = Workspace.create(tmp_path / name)
        make(other)
        monkeypatch.setenv("QBASE_LEDGER", str(shared.book.address))
        for act in (other.snapshot, lambda: load(other, "c", 3)):  # noqa: B023
            with pytest.raises(SetupError, match="QB243"):
                act()
        assert not other.book.marker.exists()
        monkeypatch.delenv("QBASE_LEDGER")
    assert values(other) == [2]
    # nor does a workspace whose ledger is a file go over to an empty database, or one with a server to another
    monkeypatch.setenv("QBASE_LEDGER", new_database())
    for home in (other, shared):
        for act in (home.snapshot, lambda: load(home, "c", 3)):  # noqa: B023
            with pytest.raises(SetupError, match="QB243"):
                act()


def test_a_ledger_is_begun_in_an_empty_database_alone(tmp_path, new_database, monkeypatch):
    home = Workspace.create(tmp_path)
    taken = new_database()
    with connect_shared(read_address(taken)) as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE runs (x integer)")
    ascii_only = new_database("ENCODING SQL_ASCII LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0")
    for url, found in ((taken, "runs"), (ascii_only, "SQL_ASCII")):
        monkeypatch.setenv("QBASE_LEDGER", url)
        for act in (lambda: load(home, "a", 1), lambda: move_ledger(home)):
            with pytest.raises(SetupError) as caught:
                act()
            assert (caught.value.code, found in caught.value.found) == ("QB244", True)
        assert not home.book.marker.exists()


def test_a_newer_ledger_is_left_alone_and_an_older_one_is_brought_up_whole(shared, monkeypatch):
    load(shared, "a", 1)
    steps = ("ALTER TABLE runs ADD COLUMN later TEXT NOT NULL DEFAULT 'x'", "ALTER TABLE nowhere ADD COLUMN x TEXT")
    newer = ledger_settings.VERSION + 1
    for name in ("VERSION", "UPGRADES"):
        new = newer if name == "VERSION" else {newer - 1: steps}
        monkeypatch.setattr(shared_ledger, name, new)
    with pytest.raises(sa.exc.DatabaseError, match="nowhere"):
        shared.snapshot()
    monkeypatch.setattr(shared_ledger, "UPGRADES", {newer - 1: steps[:1]})
    assert shared.snapshot().id == "S0001"
    with shared.book.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(later) FROM runs").scalar_one() == 0
    monkeypatch.undo()
    for act in (shared.snapshot, lambda: load(shared, "b", 2)):
        with pytest.raises(SetupError, match="QB205"):
            act()


def test_no_type_of_the_schema_depends_on_the_server():
    """An instant is text in one spelling, and a server would round a fraction in a whole column without a word."""
    kinds = {type(column.type) for table in METADATA.tables.values() for column in table.columns}
    assert kinds == {sa.Text, sa.Integer, sa.Float}


def test_texts_are_sorted_by_code_point_on_whatever_server(shared):
    names = ["Z", "a", "B", "中", "阿", "_"]
    facts = {"version": 1, "structure": "{}"}
    with shared.book.writing() as connection:
        contracts = METADATA.tables["contracts"]
        connection.execute(sa.insert(contracts), [{"table_name": name, **facts} for name in names])
        listed = connection.execute(sa.select(contracts.c.table_name).order_by(contracts.c.table_name)).scalars().all()
        by_language = connection.exec_driver_sql(
            'SELECT table_name FROM contracts ORDER BY table_name COLLATE "zh-x-icu"'
        ).scalars().all()  # fmt: skip
    assert listed == sorted(names) != by_language


def test_a_reader_keeps_its_view_and_a_writer_sees_what_the_last_one_left(shared):
    load(shared, "a", 1)
    order = []
    with shared.book.reading() as view:
        count = "SELECT count(*) FROM snapshots"
        assert view.exec_driver_sql(count).scalar_one() == 1
        with shared.book.writing() as first:
            waiting = threading.Thread(target=lambda: order.append(_count_as_writer(shared, count)))
            waiting.start()
            _wait_for_a_lock(first)
            first.execute(sa.insert(METADATA.tables["snapshots"]), {"number": 2, "created_at": "", "delivery": ""})
            order.append("first ends")
        waiting.join(60)
        # the second began before the first had written, and waited: it reads what was written all the same
        assert order == ["first ends", 2]
        assert view.exec_driver_sql(count).scalar_one() == 1
    with pytest.raises(SetupError, match="read-only"), shared.book.reading() as view:
        view.exec_driver_sql("DELETE FROM runs")
    assert shared.snapshot().id == "S0002"


def _count_as_writer(workspace, count):
    with workspace.book.writing() as connection:
        return connection.exec_driver_sql(count).scalar_one()


def _wait_for_a_lock(connection):
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while not connection.exec_driver_sql(waits).scalar_one():
        time.sleep(0.01)


def test_a_lock_held_too_long_is_told(shared, monkeypatch):
    monkeypatch.setattr(shared_ledger, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(shared_ledger, "SLICE_SECONDS", 0.1)
    monkeypatch.setattr(shared_ledger, "BUSY_SECONDS", 0.2)
    with shared.book.holding(), shared.book.holding("diary"):
        for act in (lambda: load(shared, "a", 1), lambda: contextlib.ExitStack().enter_context(shared.book.holding())):
            with pytest.raises(SetupError, match="QB206"):
                act()
        with shared.book.writing(), pytest.raises(SetupError, match="QB206"), shared.book.writing():
            pass
    assert load(shared, "a", 1).id == "S0001"


def test_whoever_lost_the_lock_commits_nothing(shared, caplog):
    """The server ended the session of the lock, as it does when the network broke; somebody else loaded meanwhile."""
    load(shared, "a", 1)

    def lose(at, new):
        ends = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND objid = 2"
        with connect_shared(shared.book.address) as connection:
            assert connection.exec_driver_sql(ends).scalar_one() == 1
        load(shared, "b", 2)
        return True

    delivery = Delivery(sha256=hashlib.sha256(b"c").hexdigest(), file_name="c", table="t", verdict="OK")
    with pytest.raises(SetupError) as caught:
        shared.commit_together([(delivery, {"t": pa.table({"v": [3]})})], check=lose)
    assert caught.value.code == "QB224"
    assert caplog.records == []
    assert (values(shared), shared.snapshot().id) == ([1, 2], "S0002")
    assert load(shared, "c", 3).id == "S0003"
    assert (values(shared), values(shared, "S0002")) == ([1, 2, 3], [1, 2])


def test_a_lock_that_a_pool_gave_away_is_noticed(shared):
    with shared.book.holding() as held:
        with held.writing() as connection:
            connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
        for act in (held.confirm, lambda: contextlib.ExitStack().enter_context(held.writing())):
            with pytest.raises(SetupError, match="QB206"):
                act()


def test_a_server_that_is_away_is_told_in_four_lines(tmp_path, shared, monkeypatch):
    load(shared, "a", 1)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
    there = shared.book.address
    places = {
        f"postgresql://o:{SPELLED}@127.0.0.1:{port}/d": "refused",
        f"postgresql://o:{SPELLED}@nowhere.invalid/d": "",
        f"postgresql://o:{SPELLED}@/d?unix_sock={tmp_path}/none": "No such file",
        f"postgresql://nobody:{SPELLED}@/{there.database}?unix_sock={there.socket}": 'role "nobody" does not exist',
        f"postgresql://postgres:{SPELLED}@/nodb?unix_sock={there.socket}": 'database "nodb" does not exist',
    }
    for url, words in places.items():
        monkeypatch.setenv("QBASE_LEDGER", url)
        for act in (shared.snapshot, lambda: load(shared, "b", 2)):
            with pytest.raises(SetupError) as caught:
                act()
            assert (caught.value.code, caught.value.exit_code) == ("QB224", 4)
            assert words in caught.value.found
            assert len(str(caught.value).splitlines()) == 4
            assert "Geh" not in f"{caught.value} {caught.value.__cause__!r}"


def test_a_server_that_takes_calls_and_never_answers_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_engine, "ANSWER_SECONDS", 0.2)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        monkeypatch.setenv("QBASE_LEDGER", f"postgresql://o@127.0.0.1:{deaf.getsockname()[1]}/d")
        with pytest.raises(SetupError, match="QB224"):
            Workspace.create(tmp_path).snapshot()


def test_without_the_driver_the_fix_is_to_install_it(shared, monkeypatch):
    shared_engine._engine.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "pg8000.dbapi", None)
    with pytest.raises(SetupError) as caught:
        shared.snapshot()
    assert (caught.value.code, caught.value.fix) == ("QB242", "pip install 'qbase[shared]'")


def test_a_workspace_that_can_only_be_read_has_a_ledger_that_is_only_read(shared, monkeypatch):
    assert shared.book.is_writable
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert not shared.book.is_writable


def test_reading_a_ledger_in_a_file_imports_no_library_of_databases(tmp_path, project_root):
    import subprocess
    import sys

    home = Workspace.create(tmp_path)
    load(home, "a", 1)
    code = (
        "import sys; from qbase.lake import find_ledger, list_runs, open_workspace;"
        f"w = open_workspace({str(home.root)!r});"
        "assert (w.snapshot().id, list_runs(w, subject='K'), find_ledger(w).is_shared) == ('S0001', [], False);"
        "print(sorted(set(sys.modules) & {'sqlalchemy', 'pg8000', 'tomllib', 'qbase.lake.ledger.shared_ledger'}))"
    )
    env = {**os.environ, "PYTHONPATH": str(project_root)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
