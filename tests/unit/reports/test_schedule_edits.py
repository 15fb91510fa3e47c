"""Schedules written into specifications and taken out: every comment stays, and what is not certain is not written."""

from __future__ import annotations

import datetime
import shlex
import tomllib

import pytest

from qbase.core import SetupError
from qbase.reports.asking.spec_editing import add_table, drop_table
from qbase.reports.scheduling.timer_text import crontab_line, systemd_units

SPEC = """\
# what the office reads on Mondays
notebook = "notebooks/trends.ipynb"  # the letter
title_zh = "质量走势"
title_en = "Quality trends"
note = '''
[schedule.weekly]
no table, only text
'''

# every Monday
[schedule.weekly]
rule = "FREQ=WEEKLY;BYDAY=MO"  # before the meeting
# the office opens at eight
start = "2026-11-30T08:00"
except = [
  "2026-12-28",
  # [schedule.quarter]
]

# the nightly machine is small
[limits]
seconds = 600

[schedule.quarter]
rule = "FREQ=MONTHLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1"

# the end"""
VALUES = {"rule": "FREQ=DAILY", "except": ["2026-10-01"], "stale_after_days": 3, "allow_short_months": True,
          "params": {"subject": '望埭"镇\\', "层 级": [1, 2.5]}}  # fmt: skip


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "trends.toml"
    file.write_text(SPEC, encoding="utf-8")
    return file


def test_a_table_is_added_behind_everything_and_says_what_was_meant(path):
    add_table(path, "schedule", "daily", VALUES)
    text = path.read_text("utf-8")
    assert text.startswith(SPEC)
    assert tomllib.loads(text)["schedule"]["daily"] == VALUES
    assert text[len(SPEC) :].splitlines()[:3] == ["", "", "[schedule.daily]"]


def test_a_table_is_taken_out_and_the_comments_of_its_neighbours_stay(path):
    drop_table(path, "schedule", "weekly")
    text = path.read_text("utf-8")
    assert "# every Monday\n\n# the nightly machine is small\n[limits]\n" in text
    assert "before the meeting" not in text
    assert "the office opens" not in text
    assert tomllib.loads(text)["note"] == tomllib.loads(SPEC)["note"]
    drop_table(path, "schedule", "quarter")
    text = path.read_text("utf-8")
    assert "schedule" not in tomllib.loads(text)
    assert text.endswith("seconds = 600\n\n\n# the end")


def test_what_was_added_and_taken_out_again_leaves_the_file_as_it_was(path):
    add_table(path, "schedule", "daily", VALUES)
    drop_table(path, "schedule", "daily")
    assert path.read_text("utf-8").rstrip("\n") == SPEC


@pytest.mark.parametrize("inline", ['schedule = { weekly = { rule = "x" } }\n', 'schedule.weekly.rule = "x"\n'])
def test_a_table_written_in_another_way_is_left_to_a_person(path, inline):
    path.write_text(inline, encoding="utf-8")
    with pytest.raises(SetupError, match="QB860"):
        drop_table(path, "schedule", "weekly")
    assert path.read_text("utf-8") == inline


def test_a_table_that_cannot_be_added_to_is_left_to_a_person(path):
    inline = 'schedule = { weekly = { rule = "x" } }\n'
    path.write_text(inline, encoding="utf-8")
    with pytest.raises(SetupError, match="QB860"):
        add_table(path, "schedule", "daily", VALUES)
    assert path.read_text("utf-8") == inline


def test_line_ends_of_another_system_stay(path):
    path.write_bytes(SPEC.replace("\n", "\r\n").encode())
    drop_table(path, "schedule", "weekly")
    text = path.read_bytes().decode()
    assert "# the nightly machine is small\r\n[limits]\r\n" in text
    assert text.count("\n") == text.count("\r\n")


WORDS = ["/opt/x y/python", "-m", "qbase", "schedule", "tick", "--home", '/srv/5% "of" $HOME\\区']


def test_a_line_of_crontab_gives_the_shell_the_words_as_they_are():
    line = crontab_line(WORDS)
    assert "\n" not in line
    timing, command = " ".join(line.split(" ")[:5]), " ".join(line.split(" ")[5:])
    assert timing == "*/5 * * * *"
    # cron takes the backslash before a per cent sign away, and ends the command at a bare one
    assert "%" not in command.replace("\\%", "")
    assert shlex.split(command.replace("\\%", "%")) == WORDS


def test_a_unit_of_systemd_quotes_what_systemd_would_read_otherwise():
    units = systemd_units(WORDS, about="reports of 5% of clusters")
    service, timer = units["qbase-schedule.service"], units["qbase-schedule.timer"]
    line = next(line for line in service.splitlines() if line.startswith("ExecStart="))
    assert line.endswith('"--home" "/srv/5%% \\"of\\" $$HOME\\\\区"')
    assert "Description=reports of 5%% of clusters" in service
    assert {"KillMode=mixed", "Type=oneshot"} <= set(service.splitlines())
    assert {"Persistent=true", "OnCalendar=*:0/5", "WantedBy=timers.target"} <= set(timer.splitlines())


def test_dates_are_written_as_text_that_a_specification_takes(path):
    add_table(path, "schedule", "daily", {"start": datetime.datetime(2026, 1, 1, 8).isoformat()})
    assert tomllib.loads(path.read_text("utf-8"))["schedule"]["daily"] == {"start": "2026-01-01T08:00:00"}
