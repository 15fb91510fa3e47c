"""A letter under OpenSAFELY's rules from the lake to the zip: run, verified, asked for, seen, approved, shared."""

from __future__ import annotations

import datetime
import json
import pathlib
import shutil
import zipfile

import numpy as np
import pytest

from qbase.cli.main import run
from qbase.lake import Workspace
from qbase.release import read_disclosure_preset
from qbase.release.disclosing.pattern_storage import find_pattern
from qbase.release.verifying.page_reading import read_page
from qbase.reports.releasing import release_requests, shared_pages
from qbase.reports.releasing.automatic_checks import find_reasons
from qbase.reports.releasing.context_records import build_contexts
from tests.truth.published_site import read_counts
from tests.unit.reports.test_subjects_and_pages import put

RULES = read_disclosure_preset("opensafely")
FIRMS = {"K001": 20, "K002": 20, "K003": 20, "K004": 20, "K005": 4}
"""Of the last cluster hardly a count may be shown; with it goes one more, or its town would give it back."""


def fill(home: Workspace) -> None:
    """Put five clusters in three towns into a lake, every firm tested four times a quarter for two years."""
    rng = np.random.default_rng(5)
    towns = {cluster: f"99002110{at % 3 + 1}" for at, cluster in enumerate(FIRMS)}
    put(
        home,
        "towns",
        [{"town_code": t, "town_name": f"第{t[-1]}镇", "county_name": "县"} for t in sorted({*towns.values()})],
    )
    put(home, "clusters", [
        {"cluster_id": c, "town_code": t, "industry_code": "2822", "cluster_name": f"{c}集群", "cluster_name_en": c}
        for c, t in towns.items()
    ])  # fmt: skip
    firms = [
        {"firm_id": f"{c}-{i:02d}", "uscc": f"9199002{c}{i:02d}00000", "firm_name": f"清沅{c}第{i}化纤厂",
         "cluster_id": c, "town_code": towns[c], "industry_code": "2822", "entry_quarter": "2016Q1"}
        for c, many in FIRMS.items() for i in range(many)
    ]  # fmt: skip
    put(home, "firms", firms)
    days = [datetime.datetime(year, 3 * q + m, 15) for year in (2024, 2025) for q in range(4) for m in (1, 2, 3, 3)]
    put(home, "inspections", [
        {"sample_no": f"S{at:03d}-{f['firm_id']}", "sample_date": day, "uscc": f["uscc"], "firm_name": f["firm_name"],
         "town_code": f["town_code"], "result": "pass" if rng.random() < 0.8 else "fail", "is_recheck": False,
         "role": "producer", "domain": "production", "sample_type": "random", "level": "city", "risk_class": "B"}
        for at, day in enumerate(days) for f in firms
    ])  # fmt: skip


def test_a_brief_under_opensafely_goes_all_the_way(
    tmp_path: pathlib.Path, project_root: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    home = Workspace.create(tmp_path / "home")
    fill(home)
    (home.root / "release.toml").write_text('preset = "opensafely"\n', encoding="utf-8")
    shutil.copy(project_root / "notebooks/10_quarterly_brief.ipynb", home.notebooks)
    shutil.copy(project_root / "reports/specs/quarterly_brief.toml", home.specs)

    def call(*words: str, account: str = "author") -> None:
        for module in (release_requests, shared_pages):
            monkeypatch.setattr(module, "read_account", lambda: account)
        code = run([*words, "--home", str(home.root), "--lang", "en"])
        assert code == 0, capsys.readouterr().err

    for year in (2024, 2025):
        call("release", "pattern", "--period", f"{year}Q4")
    call("run", "quarterly_brief", "-p", "profile=external", "-p", "subject=K001")
    (file,) = home.site.glob("quarterly_brief*.html")
    call("verify", str(file))
    source, meta = file.read_text(encoding="utf-8"), json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    (folder,) = home.runs.glob(f"*/{meta['run_id']}")
    record = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert find_reasons(source, record, RULES, build_contexts(source, record, RULES), name=file.name) == []

    cells = find_pattern(home, record["snapshot"], RULES.edition, 2025).cells
    cells = cells[(cells["group"] == "*") & (cells["kind"] == "cluster")].set_index(["place", "period"])
    seen = list(read_counts(read_page(source), "K001"))
    assert len({place for place, *_ in seen}) == 3
    for place, period, n, _ in seen:
        assert cells.loc[(place, period), "state"] == "shown"
        assert n % RULES.round_to == 0
    assert (cells["state"] != "shown").sum() >= 8
    assert not any(f"清沅{c}第" in source for c in FIRMS)

    call("release", "request", file.stem)
    call("release", "review", "A0001", account="other")
    call("release", "approve", "A0001", account="other")
    call("share", file.stem, "--out", str(tmp_path / "out.zip"))
    with zipfile.ZipFile(tmp_path / "out.zip") as files:
        assert files.read(f"{file.stem}-A0001.html") == file.read_bytes()
