"""A plan is locked by the ledger's order of snapshots, once, word for word; a date typed into a file cannot do it."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import pathlib
import stat

import pyarrow as pa
import pytest

from qbase.cli.main import run
from qbase.core.errors import PolicyError, UsageError
from qbase.indicators import add_policy, build_policy, lock_plan, read_plan
from qbase.intake import load_files
from qbase.lake import Delivery, Workspace

TOWNS = "区划代码,乡镇名称,县名称\n990023101,棹湾镇,澜溪县\n"
CLUSTERS = "集群编号,区划代码,行业代码,集群名称\nLX01,990023101,2822,棹湾镇化纤产业集群\n"
FIRMS = "企业编号,企业名称,集群编号,区划代码,行业代码\nF1,甲化纤厂,LX01,990023101,2822\n"
PLAN = """[plan]
outcome = "D1.batch"
population = "同产品集群"
weight = "equal"
window = "前 12 季、后 8 季"
comparator = "never treated"
inference = "permutation"
"""
POLICY = """[policy]
id = "bases"
name = "优质产品生产基地"
[dates]
effective = 2023-01-05
source = "notice no. 3"
confidence = "document"
[[spell]]
cluster = "LX01"
start = "2023Q1"
"""


def put_inspections(home: Workspace, *days: str) -> None:
    rows = pa.table({"sample_no": list(days), "sample_date": [datetime.datetime.fromisoformat(day) for day in days]})
    sent = Delivery(
        sha256=hashlib.sha256("".join(days).encode()).hexdigest(), file_name="a.csv", table="inspections", verdict="OK",
        rows_seen=len(days), accepted=len(days),
    )  # fmt: skip
    home.commit(sent, {"inspections": rows})


def load(home: Workspace, name: str, text: str) -> None:
    (home.root / name).write_text(text, encoding="utf-8")
    for report in load_files(home, home.root / name):
        assert report.accepted == text.count("\n") - 1, report


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace = Workspace.create(tmp_path / "home")
    monkeypatch.chdir(workspace.root)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    for name, text in (("towns.csv", TOWNS), ("clusters.csv", CLUSTERS), ("firms.csv", FIRMS)):
        load(workspace, name, text)
    return workspace


def write(home: Workspace, text: str) -> pathlib.Path:
    path = home.root / "data" / "policies" / "bases.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_plan_locked_before_the_policys_time_is_seen_stays_locked(home: Workspace) -> None:
    add_policy(home, write(home, POLICY + PLAN))
    put_inspections(home, "2022-03-01", "2022-11-02")
    locked = lock_plan(home, "bases")
    put_inspections(home, "2023-02-01", "2023-05-02")
    plan = build_policy(home, "bases").plan
    assert plan is not None
    assert (plan.post_hoc, plan.sha256, plan.locked_on) == (False, locked.sha256, locked.locked_on)
    assert plan.comparator == "never treated"


def test_a_plan_locked_after_looking_is_set_afterwards_whatever_day_its_file_names(home: Workspace) -> None:
    add_policy(home, write(home, POLICY + PLAN + 'locked = "2022-01-01"\n'))
    put_inspections(home, "2022-11-02", "2023-02-01")
    lock_plan(home, "bases")
    plan = build_policy(home, "bases").plan
    assert plan is not None
    assert plan.post_hoc


def test_a_plan_that_came_with_the_policy_counts_by_its_snapshot(home: Workspace) -> None:
    add_policy(home, write(home, POLICY + PLAN + 'locked = "2022-12-01"\n'))
    put_inspections(home, "2023-02-01")
    assert not build_policy(home, "bases").plan.post_hoc


def test_one_that_came_with_the_policy_too_late_is_set_afterwards_though_its_date_is_early(home: Workspace) -> None:
    put_inspections(home, "2023-02-01")
    add_policy(home, write(home, POLICY + PLAN + 'locked = "2022-12-01"\n'))
    assert build_policy(home, "bases").plan.post_hoc


def test_the_same_plan_is_locked_once_and_another_is_refused(home: Workspace) -> None:
    path = write(home, POLICY + PLAN)
    first = lock_plan(home, "bases")
    snapshot = home.snapshot().id
    path.write_text(POLICY + PLAN.replace('"never treated"', '"never  treated"'), encoding="utf-8")
    assert lock_plan(home, "bases") == first
    assert home.snapshot().id == snapshot
    path.write_text(POLICY + PLAN.replace("never", "not yet"), encoding="utf-8")
    with pytest.raises(PolicyError, match="QB454"):
        lock_plan(home, "bases")


def test_a_stored_plan_that_was_changed_is_found_out(home: Workspace) -> None:
    add_policy(home, write(home, POLICY + PLAN))
    plan = lock_plan(home, "bases")
    file = home.raw / plan.sha256[:2] / plan.sha256 / "bases.plan.json"
    os.chmod(file, stat.S_IRUSR | stat.S_IWUSR)
    file.write_text(file.read_text("utf-8").replace("D1.batch", "D1.firm"), encoding="utf-8")
    with pytest.raises(PolicyError, match="QB454"):
        build_policy(home, "bases")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLAN.replace('weight = "equal"\n', ""), "weight"),
        (PLAN.replace('"equal"', '" "'), "weight"),
        (PLAN + 'decision_dates = ["soon"]\n', "soon"),
        (POLICY, "outcome"),
    ],
)
def test_an_incomplete_plan_is_not_locked(home: Workspace, text: str, said: str) -> None:
    write(home, text)
    before = home.snapshot().id
    with pytest.raises(UsageError, match="QB453") as caught:
        lock_plan(home, "bases")
    assert said in caught.value.found
    assert home.snapshot().id == before


def test_dates_of_decision_are_kept_in_order_and_pass_the_check_of_the_file(home: Workspace) -> None:
    add_policy(home, write(home, POLICY + PLAN + 'decision_dates = ["2025年3月31日", 2024-03-31]\n'))
    lock_plan(home, "bases")
    assert build_policy(home, "bases").plan.decision_dates == ("2024-03-31", "2025-03-31")


def test_the_command_locks_and_says_what(home: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    write(home, POLICY + PLAN)
    assert run(["policy", "lock", "bases", "--home", str(home.root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["policy"]
    assert (told["action"], len(told["sha256"])) == ("lock", 64)
    assert run(["policy", "lock", "bases", "--home", str(home.root)]) == 0
    assert told["sha256"][:12] in capsys.readouterr().out


def test_no_plan_is_none(home: Workspace) -> None:
    add_policy(home, write(home, POLICY))
    policy = build_policy(home, "bases")
    assert policy.plan is None
    assert read_plan(home, policy) is None
