"""When reports are due, against a calendar that looks at every minute from 1986 to 2100: docs/studies/calendar.md.

The suite makes the same comparison by half hours (`tests/reference/test_calendar_dues.py`).
"""

from __future__ import annotations

import datetime
import importlib.metadata
import pathlib
import sys
import time as clocks
import zoneinfo

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from qbase.core import ReportSpec, Text  # noqa: E402
from qbase.reports import list_dues, read_schedules  # noqa: E402
from tests.reference import brute_calendar as brute  # noqa: E402

PAGE = ROOT / "docs" / "studies" / "calendar.md"
FROM, TO = (datetime.datetime(*day, tzinfo=datetime.UTC) for day in ((1985, 12, 1), (2100, 12, 31)))
LIBRARIES = ("python-dateutil", "tzdata", "numpy")
MINUTE, QUARTER, DAY = 60, 900, 86400


def offsets_of(zone: str, begin: int, end: int) -> np.ndarray:
    """Return how far a zone is from UTC at every minute of a span, in seconds.

    `zoneinfo` is asked at every quarter of an hour, and at every minute of one within which its answer changed.
    """
    place, read = zoneinfo.ZoneInfo(zone), datetime.datetime.fromtimestamp

    def ask(at: int) -> int:
        return round(read(at, place).utcoffset().total_seconds())

    quarters = np.fromiter((ask(at) for at in range(begin, end + QUARTER, QUARTER)), dtype=np.int64)
    minutes = np.repeat(quarters[:-1], QUARTER // MINUTE)
    for place_of in np.flatnonzero(np.diff(quarters)):
        first = begin + int(place_of) * QUARTER
        for at in range(first, first + QUARTER, MINUTE):
            minutes[(at - begin) // MINUTE] = ask(at)
    return minutes


def walk_minutes(zone: str) -> tuple[dict[int, int], int]:
    """Return local time -> the instant it is due at, in seconds, as `walk_zone` does; and how many minutes it took."""
    begin = round(datetime.datetime(brute.FIRST.year - 1, 12, 30, tzinfo=brute.UTC).timestamp())
    end = round(datetime.datetime(brute.LAST.year + 1, 1, 2, tzinfo=brute.UTC).timestamp())
    at = np.arange(begin, end, MINUTE, dtype=np.int64)
    shown = at + offsets_of(zone, begin, end)
    wanted = [int(t[:2]) * 3600 + int(t[3:]) * 60 for t in (*brute.TIMES, "03:30")]
    hits = np.flatnonzero(np.isin(shown % DAY, wanted))
    pairs = list(zip(shown[hits].tolist(), at[hits].tolist(), strict=True))
    # clocks were put forward: what would have been shown is due as long after the last time shown
    for jump in np.flatnonzero(np.diff(shown) > MINUTE).tolist():
        last, first = int(shown[jump]), int(shown[jump + 1])
        missed = [wall for wall in range(last + MINUTE, first, MINUTE) if wall % DAY in wanted]
        pairs += [(wall, int(at[jump]) + wall - last) for wall in missed]
    found: dict[int, int] = {}
    for wall, instant in sorted(pairs, key=lambda pair: pair[1]):
        found.setdefault(wall, instant)
    return found, len(at)


def compare(zone: str) -> tuple[int, int, int]:
    """Return how many minutes were walked in a zone, how many due instants were compared, and how many differ."""
    walked, minutes = walk_minutes(zone)
    compared = differing = 0
    for case in brute.CASES:
        days = list(brute.days_of(case))
        for time in ("00:30",) if case.times else brute.TIMES:
            told = brute.told_schedule(case, time, zone)
            spec = ReportSpec(report_id="r", notebook="", title=Text("", ""), schedule={"s": told})
            found = {round(due.timestamp()) for due in list_dues(read_schedules(spec)[0], FROM, TO).instants}
            walls = [brute.seconds_of(day, t) for day in days for t in case.times or (time,)]
            expected = {due for wall in walls if (due := walked[wall]) <= TO.timestamp()}
            compared += len(expected)
            differing += len(found ^ expected)
    return minutes, compared, differing


def main() -> int:
    """Compare all zones, write the page, and return 1 where anything differs."""
    began = clocks.process_time()
    rows = [(zone, *compare(zone)) for zone in brute.ZONES]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    lines = [
        "# When reports are due, against a calendar by walking",
        "",
        f"Made by `tests/truth/study_calendar.py` on {datetime.date.today().isoformat()}, "
        f"{clocks.process_time() - began:.0f} seconds of one processor, {versions}, no random draws.",
        "",
        f"{len(brute.CASES)} rules of RFC 5545, 1986 to 2100, at six times of day in the hours in which clocks change: "
        "what `list_dues` gives, against a calendar that walks minute by minute and asks every day whether it belongs "
        "to a rule, in words of its own (`tests/reference/brute_calendar.py`); `python-dateutil` has no part in it. "
        "The clock is that of `zoneinfo`, asked at every quarter of an hour, and at every minute of one within which "
        "its answer changed. An instant differs when it stands on one side alone. Repeated by `make study`.",
        "",
        "| zone | minutes walked | due instants compared | differing |",
        "|---|---|---|---|",
        *(f"| {zone} | {minutes:,} | {compared:,} | {differing} |" for zone, minutes, compared, differing in rows),
        "",
        "The suite makes the same comparison by half hours (`tests/reference/test_calendar_dues.py`). The office "
        "calendar of China is no part of it: it is held against the notices in "
        "`tests/unit/reports/test_schedule_rules.py`.",
        "",
    ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))
    return int(any(differing for *_, differing in rows))


if __name__ == "__main__":
    sys.exit(main())
