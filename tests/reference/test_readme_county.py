"""The README for a county's own files, followed line by line: first try, right numbers, a described path."""

from __future__ import annotations

import csv
import json
import pathlib
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest

from tests.reference.county_files import MAKERS, TOWNS, truth

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
HEADING = "### Your own county's files"
FILLED = {
    "name": "{town}化纤质量提升行动",
    "effective": "2023年二季度",
    "source": "发〔2023〕5号",
    "confidence": "document",
    "town": "{town}",
    "start": "2023年二季度",
}
# questions that only a person can answer: that these words are towns, and which firms make a cluster
ASKED = {"towns", "clusters"}


def commands() -> list[list[str]]:
    """Return the calls of qbase in the README's section, words without the remarks behind them."""
    section = re.split(r"\n#{2,3} ", README.read_text(encoding="utf-8").partition(HEADING)[2])[0]
    lines = "\n".join(re.findall(r"```bash\n(.*?)```", section, flags=re.S)).splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


class County:
    """A folder in which the README is followed by a person of another county."""

    def __init__(self, folder: pathlib.Path, names: dict[str, str]) -> None:
        self.folder, self.names, self.ids = folder, names, set[str]()
        self.home = folder / "mycounty"

    def run(self, words: list[str]) -> dict[str, Any]:
        """Run one line of the README; ids come from the questions of the load before."""
        assert words[0] == ".venv/bin/qbase"
        for plain, mine in self.names.items():
            words = [word.replace(plain, mine) for word in words]
        if any(word.endswith(":ID") for word in words):
            words = [w for w in words if w != "--accept" and not w.endswith(":ID")]
            words += [word for asked in sorted(self.ids) for word in ("--accept", asked)]
        call = [sys.executable, "-m", "qbase", *words[1:], "--json"]
        done = subprocess.run(call, cwd=self.folder, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        told["rc"] = done.returncode
        for delivery in told.get("deliveries", ()):
            error = delivery.get("error") or {}
            self.ids |= {question["id"] for question in error.get("questions", ())}
        return told

    def fill_policy(self) -> None:
        file = self.home / "data" / "policies" / "my-policy.toml"
        text = file.read_text(encoding="utf-8")
        for key, value in FILLED.items():
            said = value.format(town=self.names.get("棹湾镇", "棹湾镇"))
            text, found = re.subn(rf'^{key} = ""', f'{key} = "{said}"', text, count=1, flags=re.M)
            assert found == 1, key
        file.write_text(text, encoding="utf-8")

    def results(self, report: str) -> list[dict[str, Any]]:
        (file,) = (self.home / "reports" / "runs" / report).glob("*/results.json")
        found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["results"]
        return found


def follow(county: County) -> None:
    """Follow the README; the policy file is filled in where it is named."""
    called = []
    for words in commands():
        if words[1] == "policy":
            county.fill_policy()
        told = county.run(words)
        is_asking = words[1] == "load" and "--accept" not in words
        assert told["rc"] == (3 if is_asking else 0), (words, told)
        called.append(words[1])
        if is_asking:
            assert {asked.partition(":")[0] for asked in county.ids} == ASKED
            errors = {d["error"]["code"] for d in told["deliveries"] if d.get("error")}
            assert errors == {"QB360"}
        elif words[1] == "load":
            assert {d["verdict"] for d in told["deliveries"]} <= {"OK", "WARN"}
    assert called == ["new", "load", "load", "run", "verify", "policy", "run"]


def rates_of(county: County) -> dict[str, tuple[int, float]]:
    (level,) = (r for r in county.results("trends") if r["estimand"] == "level")
    return {e["key"]["period"]: (e["n_obs"], e["value"]) for e in level["estimates"]}


def check_described(county: County) -> None:
    """One treated town is an answer: by whatever design the data carry, and with what it rests on."""
    found = county.results("effects")
    assert {r["estimand"] for r in found} <= {"effect", "change"}
    verdicts = {check["name"]: check["passed"] for result in found for check in result["checks"]}
    assert verdicts["estimable"] is None
    assert all(e["n_treated"] == 1 for r in found for e in r["estimates"] if e["term"] == "att")
    assert list((county.home / "reports" / "site").glob("effects*.html"))


def test_the_readme_leads_another_county_from_its_files_to_its_pages(tmp_path: pathlib.Path) -> None:
    files = tmp_path / "my_files"
    files.mkdir()
    for make in MAKERS:
        make(files)
    town = TOWNS[0]
    county = County(tmp_path, {"澜溪县": "白沙县", "棹湾镇": town})
    follow(county)
    right = {quarter: counts for (place, quarter), counts in truth().items() if place == town}
    assert rates_of(county) == {q: (n, pytest.approx(100 * k / n, abs=1e-9)) for q, (n, k, _) in right.items()}
    (level,) = (r for r in county.results("trends") if "history" in r["tables"])
    assert level["tables"]["history"]
    check_described(county)


@pytest.mark.shared
def test_the_readme_gives_the_right_numbers_for_the_five_files(
    tmp_path: pathlib.Path, shared_data: pathlib.Path
) -> None:
    folder = shared_data / "cases" / "county"
    if not folder.is_dir():
        pytest.skip("../shared/data has no cases/county")
    files = tmp_path / "my_files"
    files.mkdir()
    for path in folder.iterdir():
        if path.name not in ("README.md", "right.csv"):
            (files / path.name).write_bytes(path.read_bytes())
    county = County(tmp_path, {})
    follow(county)
    with (folder / "right.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["town"] == "棹湾镇"]
    assert {q: (n, round(rate, 6)) for q, (n, rate) in rates_of(county).items()} == {
        row["q"]: (int(row["n"]), float(row["rate_pct"])) for row in rows
    }
    (level,) = (r for r in county.results("trends") if "history" in r["tables"])
    assert "history" in {check["name"] for check in level["checks"]}
    (page,) = (county.home / "reports" / "site").glob("trends*.html")
    assert "2019–2021" in page.read_text(encoding="utf-8")
    check_described(county)
