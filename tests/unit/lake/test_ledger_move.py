"""A ledger moves from its file to a server: every row, or not at all."""

from __future__ import annotations

import shutil
import sqlite3
import threading

import pyarrow as pa
import pytest
import sqlalchemy as sa

from qbase.core import RunRecord, SetupError, UsageError
from qbase.lake import Delivery, Workspace, add_run, find_ledger, list_runs, move_ledger
from qbase.lake.ledger import ledger_move
from qbase.lake.ledger.ledger_address import Marker, read_address, read_marker, write_marker
from qbase.lake.ledger.ledger_file import Ledger
from qbase.lake.ledger.ledger_schema import METADATA
from qbase.lake.ledger.shared_engine import connect_shared
from qbase.lake.ledger.shared_ledger import read_facts

RUNS = ledger_move.BATCH + 20
ODD = "监督抽查'2024\\\"\n%s :x {y}\t😀é"


def run(run_id, **facts):
    plain = {
        "run_id": run_id, "report_id": "trends", "notebook": "notebooks/20.ipynb", "slot": "2022-08-10", "state": "ok",
        "params": {"subject": "K003", "镇": ["甲", None], "odd": ODD, "nul": "\0"}, "fingerprint": "f1", "commit": "",
        "versions": {"pandas": "3.1"}, "snapshot": "S0001", "started_at": "2022-08-10T00:00:00+00:00",
        "seconds": 0.1 + 0.2,
    }  # fmt: skip
    return RunRecord(**{**plain, **facts})


def delivery(number, **facts):
    return Delivery(sha256=f"{number:064x}", file_name=f"{ODD}{number}", table="t", verdict="OK", **facts)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = Workspace.create(tmp_path_factory.mktemp("made") / "home")
    made.commit_together([(delivery(n, reasons={ODD: n}), {"t": pa.table({"v": [n]})}) for n in range(3)])
    made.commit(Delivery(sha256="f" * 64, file_name="x", table="", verdict="REJECTED"), {})
    for number in range(RUNS):
        add_run(made, run(f"r{number:04d}"))
    return made.root


@pytest.fixture
def home(made, tmp_path):
    return Workspace(shutil.copytree(made, tmp_path / "home"))


def rows_of(connection):
    return {
        table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))]
        for table in METADATA.sorted_tables
    }


def is_empty(url):
    with connect_shared(read_address(url)) as connection:
        return not read_facts(connection) and not sa.inspect(connection).get_table_names()


def test_every_row_arrives_as_it_was_and_the_next_numbers_follow(home, new_database):
    with home.book.reading() as connection:
        before = rows_of(connection)
    runs, file = list_runs(home, limit=1000), home.ledger.read_bytes()
    url = new_database()
    place = move_ledger(home, url)
    assert (place.address, place.is_shared) == (url, True)
    assert place.rows == {name: len(rows) for name, rows in before.items()}
    assert place.rows["runs"] == RUNS
    with home.book.reading() as connection:
        assert rows_of(connection) == before
    assert list_runs(home, limit=1000) == runs
    assert find_ledger(home).rows == {name: len(before[name]) for name in ("snapshots", "deliveries", "runs")}
    made = home.commit(delivery(9), {"t": pa.table({"v": [9]})})
    with home.book.reading() as connection:
        assert max(row[0] for row in rows_of(connection)["deliveries"]) == len(before["deliveries"]) + 1
    assert (made.id, len(file) > 0) == ("S0002", True)


def test_the_file_stays_as_a_copy_that_nobody_writes_any_more(home, new_database):
    old = home.book
    move_ledger(home, new_database())
    with sqlite3.connect(home.ledger) as kept:
        assert kept.execute("SELECT count(*) FROM runs").fetchone() == (RUNS,)
    kept.close()
    # a process that opened the file before the move
    for act in (old.writing, old.holding, old.reading, old.glancing):
        with pytest.raises(SetupError, match="QB243"), act():
            pass
    home.book.marker.unlink()
    with pytest.raises(SetupError, match="QB243"):
        home.snapshot()


def test_a_writer_that_waited_for_the_file_while_it_moved_is_told(home, new_database, monkeypatch):
    told = []

    def wait():
        try:
            add_run(home, run("late"))
        except SetupError as error:
            told.append(error.code)

    true_move, writer = ledger_move._move, threading.Thread(target=wait)

    def move(*given):
        writer.start()
        return true_move(*given)

    monkeypatch.setattr(ledger_move, "_move", move)
    rows = move_ledger(home, new_database()).rows["runs"]
    writer.join(60)
    # it came before, and was moved, or it comes after, and is told: never lost
    assert (rows, told) == (RUNS, ["QB243"])


def test_of_two_moves_at_once_to_two_databases_one_counts(home, new_database, monkeypatch):
    first, second, told = new_database(), new_database(), []
    true_move = ledger_move._move

    def late():
        try:
            move_ledger(home, second)
        except UsageError as error:
            told.append(error.code)

    other = threading.Thread(target=late)

    def move(*given):
        other.start()
        return true_move(*given)

    monkeypatch.setattr(ledger_move, "_move", move)
    move_ledger(home, first)
    other.join(60)
    assert (told, find_ledger(home).address, is_empty(second)) == (["QB245"], first, True)


def test_a_move_that_fails_leaves_the_file_in_use_and_the_database_empty(home, new_database, monkeypatch):
    url, true_copy = new_database(), ledger_move._copy

    def copy(table, here, there):
        if table.name == "snapshot_tables":
            raise RuntimeError("the power is gone")
        return true_copy(table, here, there)

    monkeypatch.setattr(ledger_move, "_copy", copy)
    with pytest.raises(RuntimeError):
        move_ledger(home, url)
    assert is_empty(url)
    assert (home.book.name, home.snapshot().id, home.ledger.with_name("ledger.toml").exists()) == (
        "ledger.sqlite", "S0001", False,
    )  # fmt: skip
    add_run(home, run("after"))
    monkeypatch.undo()
    assert move_ledger(home, url).rows["runs"] == RUNS + 1


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE deliveries SET accepted = 2.5 WHERE number = 2", "deliveries"),
        ("UPDATE deliveries SET accepted = 3000000000 WHERE number = 2", "deliveries"),
        ("UPDATE runs SET slot = 'a' || char(0) || 'b' WHERE run_id = 'r0210'", "runs"),
        ("UPDATE runs SET seconds = 'long' WHERE run_id = 'r0001'", "runs"),
    ],
)
def test_a_row_the_server_would_change_keeps_everything_where_it_was(home, new_database, change, found):
    with sqlite3.connect(home.ledger) as connection:
        connection.execute(change)
    connection.close()
    url = new_database()
    with pytest.raises(UsageError) as caught:
        move_ledger(home, url)
    assert (caught.value.code, caught.value.found.split(":")[0].split(",")[0]) == ("QB245", found)
    assert is_empty(url)
    assert home.book.name == "ledger.sqlite"


def test_a_move_whose_end_nobody_saw_is_repeated_and_says_how_it_ended(home, new_database, monkeypatch):
    """The workspace was told, and the power failed: either before the server had ended the transaction, or after."""
    url = new_database()
    write_marker(home.ledger.with_name("ledger.toml"), Marker(url=url, id="5" * 32))
    with pytest.raises(SetupError, match="qbase ledger move"):
        home.snapshot()
    with pytest.raises(UsageError, match="was begun"):
        move_ledger(home, new_database())
    assert move_ledger(home).rows["runs"] == RUNS
    assert read_marker(home.book.marker).id == "5" * 32
    # after: the file was not yet stamped, and is not used all the same
    with sqlite3.connect(home.ledger) as connection:
        connection.execute("PRAGMA user_version = 3")
    connection.close()
    with pytest.raises(UsageError, match="has it already"):
        move_ledger(home)
    assert home.snapshot().id == "S0001"


def test_a_target_in_use_a_password_and_no_address_are_refused(home, tmp_path, new_database, monkeypatch):
    other = Workspace.create(tmp_path / "other")
    url = new_database()
    move_ledger(other, url)
    with pytest.raises(UsageError, match="has it already"):
        move_ledger(other)
    for target, kind, code in (
        (url, SetupError, "QB244"),
        (url.replace("postgres@", "postgres:secret7@"), UsageError, "QB241"),
        (None, UsageError, "QB245"),
    ):
        with pytest.raises(kind) as caught:
            move_ledger(home, target)
        assert caught.value.code == code
        assert "secret7" not in str(caught.value)
    assert home.book.name == "ledger.sqlite"
    # where a password belongs
    monkeypatch.setenv("QBASE_LEDGER", new_database().replace("postgres@", "postgres:secret7@"))
    move_ledger(home)
    assert "secret7" not in home.book.marker.read_text() + home.book.name + repr(home.book)


def test_an_older_or_damaged_file_is_brought_up_or_told_first(tmp_path, new_database, make_older):
    home = Workspace.create(tmp_path)
    add_run(home, run("r1"))
    make_older(home.ledger, 2)
    assert move_ledger(home, new_database()).rows["runs"] == 1
    broken = Workspace.create(tmp_path / "broken")
    broken.ledger.write_bytes(b"this is no database" * 100)
    url = new_database()
    with pytest.raises(SetupError, match="QB204"):
        move_ledger(broken, url)
    assert is_empty(url)
    assert isinstance(broken.book, Ledger)
