"""``qbase plan``: hash first, list second, draw third; what was signed off is verified later, or refused."""

from __future__ import annotations

import datetime
import hashlib
import json
import pathlib
import stat

import openpyxl
import pandas as pd
import pytest

from qbase.cli.main import run
from qbase.core.text import Text
from qbase.planning import Strata, build_strata

SIZES = {("K001", "A-small"): 20, ("K001", "B-small"): 14, ("K002", "A-small"): 12, ("K002", "C-small"): 9}


@pytest.fixture(autouse=True)
def office(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """An office without a lake: what the past says of strata is given."""
    rows = [(*key, n, 30, 27) for key, n in SIZES.items()]
    frame = pd.DataFrame(rows, columns=["entity", "stratum", "n_firms", "n_tested", "n_passed"])
    past = build_strata(frame, labels={"K001": Text("甲镇", "Jia")})

    def read(workspace: object) -> Strata:
        return past

    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.setattr("qbase.planning.read_strata", read, raising=False)
    monkeypatch.setattr("qbase.cli.speaking.shell.Shell.workspace", lambda self: None)
    monkeypatch.chdir(tmp_path)
    listed = [(f"F{e}{s}{i:02d}", e, s) for (e, s), n in SIZES.items() for i in range(n)]
    pd.DataFrame(listed, columns=["企业", "集群", "层"]).to_csv("list.csv", index=False, encoding="gb18030")


def call(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict:
    assert run([*words, "--json", "--quiet"]) == code
    return json.loads(capsys.readouterr().out)


def draw(digest: str, *more: str) -> list[str]:
    return [
        *("plan", "draw", "plan.json", "--list", "list.csv", "--secret", "s.txt", "--published", digest, "--on"),
        *("2026-11-03", "--closed", "2026-12-01", "--year", "2027", "--xlsx", "list.xlsx", "--budget", "120", *more),
    ]


def test_from_the_hash_to_the_verified_plan(capsys):
    told = call(capsys, "plan", "commit", "s.txt")["plan"]
    file = pathlib.Path("s.txt")
    assert told["digest"] == hashlib.sha256(file.read_text().strip().encode()).hexdigest()
    assert told["day"] == datetime.date.today().isoformat()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    made = call(capsys, *draw(told["digest"]))["plan"]
    rows = list(openpyxl.load_workbook("list.xlsx").worksheets[1].values)
    assert len(rows) - 1 == made["firms"] > 8
    assert rows[1][1:3] == ("K001", "甲镇")
    plain = call(capsys, "plan", "verify", "plan.json")["plan"]
    assert (plain["sha256"], plain["seed"], plain["repeated"]) == (made["sha256"], made["seed"], False)
    again = call(capsys, "plan", "verify", "plan.json", "--list", "list.csv", "--secret", "s.txt")["plan"]
    assert again["repeated"] is True
    shorter = pathlib.Path("list.csv").read_bytes().splitlines(keepends=True)[:-1]
    pathlib.Path("other.csv").write_bytes(b"".join(shorter))
    other = call(capsys, "plan", "verify", "plan.json", "--list", "other.csv", "--secret", "s.txt", code=3)
    assert other["error"]["code"] == "QB626"
    changed = pathlib.Path("plan.json").read_text(encoding="utf-8").replace('"budget": 120.0', '"budget": 121.0')
    pathlib.Path("changed.json").write_text(changed, encoding="utf-8")
    assert call(capsys, "plan", "verify", "changed.json", code=3)["error"]["code"] == "QB632"


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (["plan", "commit", "there.txt"], "QB976", 3),
        (["plan", "draw", "plan.json", "--list", "list.csv"], "QB975", 2),
        (["plan", "verify", "plan.json", "--secret", "there.txt"], "QB632", 3),
        (draw("0" * 64, "--on", "3 November"), "QB977", 2),
        (draw("0" * 64), "QB978", 3),
        (draw("0" * 64, "--secret", "there.txt"), "QB626", 3),
        (draw("0" * 64, "--list", "there.txt"), "QB627", 3),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(capsys, words, code, exit_code):
    pathlib.Path("there.txt").write_text("5d" * 32, encoding="ascii")
    before = sorted(p.name for p in pathlib.Path().iterdir())
    assert call(capsys, *words, code=exit_code)["error"]["code"] == code
    assert sorted(p.name for p in pathlib.Path().iterdir()) == before
    assert pathlib.Path("there.txt").read_text(encoding="ascii") == "5d" * 32
