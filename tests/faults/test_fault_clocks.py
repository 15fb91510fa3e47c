"""A clock that is set while a report runs (Debian's faketime), and another time zone. F22 and F25.

Slots over changes of summer time and ends of months (F23, F24) are in the tests of schedules.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import shutil
import sys
import time

import pytest

from qbase.lake import list_runs
from qbase.reports import run_report
from tests.faults.fault_letters import House
from tests.faults.test_runs import Instead

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="faketime is preloaded on Linux")


@pytest.fixture
def clock(tmp_path: pathlib.Path) -> dict[str, str]:
    """Environment of a runner whose clock is what the file it names says; without it in its kernel."""
    found = shutil.which("faketime")
    if found is None:
        pytest.skip("needs faketime (bash tests/system-deps.sh)")
    (library,) = pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    file = tmp_path / "clock"
    file.write_text("+0")
    return {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip


@pytest.mark.parametrize("jump", ["-3600", "+86400"], ids=["back-an-hour", "on-a-day"])
def test_a_clock_set_during_a_run_changes_no_duration_and_loses_nothing(
    house: House, clock: dict[str, str], jump: str
) -> None:
    """F22: the next run is told as unchanged by whatever the clock says."""
    file = clock["FAKETIME_TIMESTAMP_FILE"]
    # the page shows no path
    (house.workspace.root / "clock").symlink_to(file)
    house.letter("jumps", f"import time\n_ = open('clock', 'w').write('{jump}')\ntime.sleep(1)")
    runner = house.start("jumps", "kernel", env=clock)
    told, complaints = runner.communicate()
    assert told == "ok\n", told + complaints
    record = house.last("jumps")
    assert record.state == "ok"
    assert 1 <= record.seconds < 600
    assert datetime.datetime.fromisoformat(record.started_at).utcoffset() is not None
    meta = json.loads((house.workspace.site / "jumps.json").read_text(encoding="utf-8"))
    assert meta["run_id"] == record.run_id
    assert meta["finished_at"] >= record.started_at[:19]
    instants = [json.loads(line)["time"] for line in (house.folder(record) / "log.jsonl").read_text().splitlines()]
    first, last = (datetime.datetime.fromisoformat(instants[i]) for i in (0, -1))
    assert abs((last - first).total_seconds() - float(jump)) < 600, "the clock was not set"
    assert run_report(house.workspace, "jumps").state == "unchanged"


def test_another_time_zone_between_two_runs_changes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """F25: instants are written in one zone, and the zone of the machine is no part of what a report rests on."""
    Instead(monkeypatch)
    request.addfinalizer(time.tzset)
    house.letter("zones")
    states = []
    for zone in ("Asia/Shanghai", "America/New_York", "Pacific/Kiritimati"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        record = run_report(house.workspace, "zones")
        states.append(record.state)
        assert datetime.datetime.fromisoformat(record.started_at).utcoffset() == datetime.timedelta(0)
    monkeypatch.undo()
    assert states == ["ok", "unchanged", "unchanged"]
    began = [run.started_at for run in list_runs(house.workspace, "zones")]
    assert began == sorted(began, reverse=True)
