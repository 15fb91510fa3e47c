"""When reports are due, against a calendar that looks at every minute from 1986 to 2100: docs/studies/calendar.md.

The suite makes the same comparison by half hours (`tests/reference/test_calendar_dues.py`).
"""

from __future__ import annotations

import datetime
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from qbase.core import ReportSpec, Text  # noqa: E402
from qbase.reports import list_dues, read_schedules  # noqa: E402
from tests.reference import brute_calendar as brute  # noqa: E402

PAGE = ROOT / "docs" / "studies" / "calendar.md"
FROM, TO = (datetime.datetime(*day, tzinfo=datetime.UTC) for day in ((1985, 12, 1), (2100, 12, 31)))
MINUTES = (brute.LAST - brute.FIRST).days * 1440


def compare(zone: str) -> tuple[int, int]:
    """Return how many due instants were compared in a zone, and how many differ."""
    walked = brute.walk_zone(zone, step=60)
    compared = differing = 0
    for case in brute.CASES:
        for time in ("00:30",) if case.times else brute.TIMES:
            told = brute.told_schedule(case, time, zone)
            spec = ReportSpec(report_id="r", notebook="", title=Text("", ""), schedule={"s": told})
            found = {round(due.timestamp()) for due in list_dues(read_schedules(spec)[0], FROM, TO).instants}
            expected = {due for due in brute.brute_dues(case, time, walked) if due <= TO.timestamp()}
            compared += len(expected)
            differing += len(found ^ expected)
    return compared, differing


def main() -> int:
    """Compare all zones, write the page, and return 1 where anything differs."""
    rows = [(zone, *compare(zone)) for zone in brute.ZONES]
    lines = [
        "# When reports are due, against a calendar by walking",
        "",
        f"{len(brute.CASES)} rules of RFC 5545, 1986 to 2100, at six times of day in the hours in which clocks change. "
        f"The calendar looks at each of {MINUTES / 1e6:.1f} million minutes with `zoneinfo` alone, and asks every day "
        "whether it belongs to a rule, in words of its own (`tests/reference/brute_calendar.py`); `python-dateutil` "
        "has no part in it. Written by `make study`.",
        "",
        "| zone | due instants compared | differing |",
        "|---|---|---|",
        *(f"| {zone} | {compared:,} | {differing} |" for zone, compared, differing in rows),
        "",
    ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))
    return int(any(differing for _, _, differing in rows))


if __name__ == "__main__":
    sys.exit(main())
