"""The lot is repeatable, stays within near-ties, and its file tells any change."""

from __future__ import annotations

import datetime
import pathlib

import pandas as pd
import pytest

from qbase.core import Indicator, Text
from qbase.core.errors import QbaseError
from qbase.core.results.result import Result
from qbase.core.values import Estimate
from qbase.indicators import add_policy, build_policy, lock_plan, read_policy_file
from qbase.intake import load_files
from qbase.lake import Workspace
from qbase.planning import PhaseIn, build_commitment, draw_phase_in, new_secret, verify_phase_in, write_phase_in
from qbase.planning.drawing.phase_in_lot import CRITERIA, criteria_ranges, tiers_of

SECRET = "5d" * 32
DAY = datetime.date(2026, 11, 3)
CLOSED = datetime.date(2026, 12, 1)
COUNT = Indicator(id="shortlist", name=Text("入围", "listed"), unit="item", better="none", role="context")


def shortlist(n: int = 9, listed: int = 7) -> Result:
    """Clusters of falling values: the first meet all criteria, those about the median turn with who is left out."""
    rows = [
        {"entity": f"K{i:03d}", "name_zh": f"集群{i}", "name_en": f"cluster {i}", **dict.fromkeys(CRITERIA, 100.0 - i),
         "brand": 100.0 - (i * 5) % n, "obsolete": 0.0, "criteria_met": 5 if i < 4 else 4, "is_listed": i < listed}
        for i in range(n)
    ]  # fmt: skip
    return Result(
        estimand="level", outcome=COUNT, unit="item", method="shortlist", subject=Text("全部", "all"),
        estimates=(Estimate(term="shortlist", value=float(listed), uncertainty="none_full_count"),),
        tables={"shortlist": pd.DataFrame(rows)},
    )  # fmt: skip


def lot(n: int = 4, secret: str = SECRET, **changes: object) -> PhaseIn:
    published = build_commitment(secret, DAY)
    asked = {"first": "2027Q1", "commitment": published, "closed": CLOSED, "secret": secret} | changes
    return draw_phase_in(shortlist(), n=n, **asked)


def written(path: pathlib.Path, **changes: object) -> PhaseIn:
    drawn = lot(**changes)
    how = {"policy_id": "next", "name": "下一批基地", "outcome": "D1.batch", "source": "抽签记录第 1 号"}
    write_phase_in(drawn, path, signed_on=datetime.date(2026, 12, 2), **how)
    return drawn


def test_the_lot_is_repeatable_and_starts_follow_one_another():
    one, other = lot(), lot()
    pd.testing.assert_frame_equal(one.order, other.order)
    assert sorted(one.starts.values()) == ["2027Q1", "2027Q2", "2027Q3", "2027Q4"]
    assert sorted(lot(step=2, each=2).starts.values()) == ["2027Q1", "2027Q1", "2027Q3", "2027Q3"]
    assert (one.order["start"] == "").sum() == 3


def test_tiers_are_kept_and_every_order_inside_is_as_likely():
    firsts = pd.Series([lot(secret=new_secret()).order["entity"].iloc[0] for _ in range(300)])
    order = lot().order
    assert order["tier"].is_monotonic_increasing
    tied = order.loc[order["tier"] == 1, "entity"]
    assert set(firsts) == set(tied)
    expected = 300 / len(tied)
    assert ((firsts.value_counts() - expected) ** 2 / expected).sum() < 25  # 6 degrees of freedom at most: p < .001


def test_a_cluster_that_cannot_reach_the_best_waits_for_its_tier():
    assert tiers_of([5, 4, 4, 2, 1], [5, 5, 4, 3, 2]) == [1, 1, 2, 3, 3]


def test_ranges_hold_the_number_met():
    table = shortlist().tables["shortlist"]
    five = table[list(CRITERIA)]
    met = five.ge(five.median()).sum(axis=1)
    fewest, most = criteria_ranges(table)
    assert (fewest <= met).all()
    assert (met <= most).all()
    assert (fewest < most).any()


def test_the_file_gives_the_same_lot_back(tmp_path):
    path = tmp_path / "next.toml"
    drawn, again = written(path), verify_phase_in(path)
    assert again.starts == drawn.starts
    assert again.order["entity"].tolist() == drawn.order["entity"].tolist()
    with pytest.raises(QbaseError, match="QB639"):
        written(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [("2027Q2", "2027Q3"), ("D1.batch", "D2.batch"), ("2026-11-03", "2026-10-03"), ("2026-12-02", "2026-12-03"),
     ("集群", "群集"), ("source", "source_")],
)  # fmt: skip
def test_any_change_is_detected(tmp_path, old, new):
    path = tmp_path / "next.toml"
    written(path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(QbaseError, match="QB638"):
        verify_phase_in(path)


def test_a_forged_hash_does_not_help_another_order(tmp_path):
    from qbase.planning.writing.phase_in_files import _digest, _line, _parts

    path = tmp_path / "next.toml"
    drawn = written(path)
    head, body = _parts(path)
    a, b = list(drawn.starts)[:2]
    body = body.replace(f'"{a}"', '"X"').replace(f'"{b}"', f'"{a}"').replace('"X"', f'"{b}"')
    starts = {row[0]: row[3] for row in head["candidates"]}
    head["candidates"] = [[e, n, t, {a: starts[b], b: starts[a]}.get(e, s)] for e, n, t, s in head["candidates"]]
    head["candidates"][:2] = head["candidates"][1::-1]
    head["sha256"] = _digest(head, body)
    path.write_text("".join(map(_line, head.items())) + body, encoding="utf-8")
    with pytest.raises(QbaseError, match=r"QB638[\s\S]*other than the seed gives"):
        verify_phase_in(path)


def test_it_is_a_policy_file_that_can_be_checked_loaded_and_locked(tmp_path):
    home = Workspace.create(tmp_path / "home")
    raw = tmp_path / "raw"
    raw.mkdir()
    rows = "".join(f"K{i:03d},990023101,2822,集群{i}\n" for i in range(9))
    for name, text in (
        ("乡镇.csv", "区划代码,乡镇名称,县名称\n990023101,棹湾镇,澜溪县\n"),
        ("产业集群.csv", f"集群编号,区划代码,行业代码,集群名称\n{rows}"),
    ):
        (raw / name).write_text(text, encoding="utf-8")
    load_files(home, sorted(raw.iterdir()))
    path = home.root / "data" / "policies" / "next.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = written(path)
    assert {s.entity: str(s.start) for s in read_policy_file(home, path).policy.spells} == drawn.starts
    add_policy(home, path)
    assert {s.entity: str(s.start) for s in build_policy(home, "next").spells} == drawn.starts
    assert lock_plan(home, "next").outcome == "D1.batch"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"n": 8}, "QB636"), ({"n": 0}, "QB637"), ({"step": 0}, "QB637"), ({"first": "soon"}, "QB637"),
        ({"closed": DAY}, "QB626"), ({"commitment": build_commitment("6e" * 32, DAY)}, "QB626"),
    ],
)  # fmt: skip
def test_refusals_are_four_lines(changes, code):
    with pytest.raises(QbaseError) as caught:
        lot(**changes)
    assert caught.value.code == code
    assert len(str(caught.value).splitlines()) == 4


def test_no_shortlist_and_no_file_are_told(tmp_path):
    bare = Result(
        estimand="level", outcome=COUNT, unit="item", method="x", estimates=(), subject=COUNT.name,
        unanswered=Text("无", "none"),
    )  # fmt: skip
    with pytest.raises(QbaseError, match="QB636"):
        draw_phase_in(bare, n=1, first="2027Q1", secret=SECRET, commitment=build_commitment(SECRET, DAY), closed=CLOSED)
    with pytest.raises(QbaseError, match="QB638"):
        verify_phase_in(tmp_path / "none.toml")
