"""Files that come back, and contracts that change under rows already stored."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from qbase.core.errors import UsageError
from qbase.core.text import Text
from qbase.intake import LoadReport, explain_reason, load_files, read_recipe, retry_quarantine
from qbase.intake.loading import stored_contracts as module
from qbase.lake import Workspace
from qbase.lake.stored_structures import read_stored_contract
from qbase.tables import ColumnRule, Contract, Rule, compare_contracts, describe_contract, read_contract

HEAD = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,产品名称,检验结果"
Change = Callable[[Contract], Contract]


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


def sample(number: int, result: str = "合格") -> str:
    return f"S{number},省级,2022-08-10,生产,双随机,甲厂,涤纶,{result}"


def send(home: Workspace, name: str, *rows: str, head: str = HEAD, **options: Any) -> LoadReport:
    path = home.root / name
    path.write_text("\n".join([head, *rows]) + "\n", "utf-8")
    (report,) = load_files(home, [path], **options)
    return report


def samples(home: Workspace, snapshot: str | None = None) -> list[str]:
    return home.query("SELECT sample_no FROM inspections ORDER BY 1", snapshot=snapshot)["sample_no"].tolist()


# --- a replaced file that was right after all


def test_a_replaced_file_comes_back_when_somebody_says_so(home: Workspace) -> None:
    a, b = (sample(1), sample(2)), (sample(1, "不合格"), sample(3))
    first = send(home, "a.csv", *a)
    second = send(home, "b.csv", *b, supersedes=first.sha256)
    asleep = send(home, "a.csv", *a)
    assert (asleep.already, "superseded" in asleep.warnings) == (True, True)
    assert samples(home) == ["S1", "S3"]
    back = send(home, "a.csv", *a, supersedes=second.sha256[:8])
    assert (back.verdict, back.already, back.sha256, back.accepted) == ("WARN", False, first.sha256, 2)
    assert back.warnings == ("supersedes 1",)
    assert samples(home) == ["S1", "S2"]
    assert [samples(home, report.snapshot) for report in (first, second)] == [["S1", "S2"], ["S1", "S3"]]
    chain = home.deliveries(every=True)[["sha256", "attempt", "replaced_by"]].to_numpy().tolist()
    assert chain == [[first.sha256, 1, second.sha256], [second.sha256, 1, first.sha256], [first.sha256, 2, ""]]
    standing = send(home, "a.csv", *a)
    assert (standing.already, standing.warnings) == (True, ("supersedes 1",))
    with pytest.raises(UsageError, match="QB344"):
        send(home, "a.csv", *a, supersedes=second.sha256)


def test_it_may_go_back_and_forth_and_be_read_again(home: Workspace) -> None:
    a, b = (sample(1), sample(2, "?")), (sample(3),)
    first = send(home, "a.csv", *a)
    second = send(home, "b.csv", *b, supersedes=first.sha256)
    send(home, "a.csv", *a, supersedes=second.sha256)
    forth = send(home, "b.csv", *b, supersedes=first.sha256)
    assert samples(home) == ["S3"]
    assert home.deliveries()[["sha256", "attempt"]].to_numpy().tolist() == [[second.sha256, 2]]
    send(home, "a.csv", *a, supersedes=forth.sha256)
    again = retry_quarantine(home, first.sha256)
    assert (again.accepted, again.quarantined, samples(home)) == (1, 1, ["S1"])
    assert home.deliveries()["attempt"].tolist() == [4]


def test_a_file_that_stands_may_still_take_the_place_of_another_and_never_of_itself(home: Workspace) -> None:
    first, second = send(home, "a.csv", sample(1)), send(home, "b.csv", sample(2))
    assert send(home, "a.csv", sample(1), supersedes=first.sha256).already
    assert samples(home) == ["S1", "S2"]
    report = send(home, "a.csv", sample(1), supersedes=second.sha256)
    assert (report.already, samples(home)) == (False, ["S1"])


# --- contracts that change


def with_column(contract: Contract, name: str, **changes: Any) -> Contract:
    columns = tuple(dataclasses.replace(c, **changes) if c.name == name else c for c in contract.columns)
    return dataclasses.replace(contract, columns=columns, version=contract.version + 1)


def with_more(contract: Contract, **facts: Any) -> Contract:
    column = ColumnRule(**{"name": "extra", "text": Text("新列", "Extra"), "type": "text", **facts})
    return dataclasses.replace(contract, columns=(*contract.columns, column), version=contract.version + 1)


def without(contract: Contract, name: str) -> Contract:
    columns = tuple(column for column in contract.columns if column.name != name)
    return dataclasses.replace(contract, columns=columns, version=contract.version + 1)


def fewer(contract: Contract, column: str, value: str) -> Contract:
    values = {name: spelt for name, spelt in contract.column(column).values.items() if name != value}
    return with_column(contract, column, values=values)


def more(contract: Contract, column: str, **values: tuple[str, ...]) -> Contract:
    return with_column(contract, column, values={**contract.column(column).values, **values})


NEW_RULE = Rule(code="new_rule", sql="true", text=Text("新规则", "New rule"))
ADDITIVE: list[tuple[Change, str]] = [
    (lambda c: with_more(c, required=False, null="unknown"), "extra:contract_added"),
    (lambda c: more(c, "risk_class", E=("E级",)), "risk_class:contract_changed"),
    (lambda c: with_column(c, "domain", required=False, null="unknown"), "domain:contract_changed"),
    (lambda c: with_column(c, "sample_date", min="2000-01-01"), "sample_date:contract_changed"),
    (lambda c: dataclasses.replace(c, version=4, rules=(*c.rules, NEW_RULE)), "new_rule:contract_changed"),
]
BREAKING: list[tuple[Change, str]] = [
    (lambda c: without(c, "size_class"), "size_class: enum -> -"),
    (with_more, "extra: - -> required"),
    (lambda c: with_column(c, "lab_name", required=True, null=""), "lab_name: optional -> required"),
    (lambda c: fewer(c, "risk_class", "D"), "risk_class: D -> -"),
    (lambda c: dataclasses.replace(c, version=4, key=("sample_no", "firm_name")), "key: sample_no -> sample_no, firm"),
]
UNMIXABLE: list[tuple[Change, str]] = [
    (lambda c: with_column(c, "size_class", type="text", values={}), "size_class: enum -> text"),
    (lambda c: with_column(c, "inclusion_probability", unit="pct"), "inclusion_probability: share -> pct"),
    (
        lambda c: more(c, "appeal_result", overturned=("改判", "维持"), upheld=("维持原结论",)),
        "appeal_result: 维持 = upheld -> overturned",
    ),
]


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Callable[[Change], Contract]:
    """Return a function that lets a file meet another contract of the inspections."""

    def use(make: Change) -> Contract:
        new = make(read_contract("inspections"))
        original = module.contracts_of
        monkeypatch.setattr(
            module, "contracts_of", lambda book: {n: new if n == new.name else c for n, c in original(book).items()}
        )
        monkeypatch.setattr("qbase.intake.loading.file_loading.contracts_of", module.contracts_of)
        return new

    return use


@pytest.mark.parametrize(("make", "warning"), ADDITIVE)
def test_what_only_adds_is_told_once(home: Workspace, change: Any, make: Change, warning: str) -> None:
    assert send(home, "a.csv", sample(1)).warnings == ()
    change(make)
    report = send(home, "b.csv", sample(2))
    assert (report.verdict, report.warnings) == ("WARN", (warning,))
    assert explain_reason(warning, "inspections").en.split(": ")[-1].startswith(("column is new", "values, limits"))
    assert send(home, "c.csv", sample(3)).verdict == "OK"


@pytest.mark.parametrize(("make", "found"), BREAKING)
def test_what_breaks_is_refused_until_the_recipe_says_otherwise(
    home: Workspace, change: Any, make: Change, found: str
) -> None:
    send(home, "a.csv", sample(1))
    change(make)
    refused = send(home, "b.csv", sample(2))
    assert (refused.verdict, refused.error and refused.error["code"]) == ("REJECTED", "QB333")
    assert refused.error is not None
    assert found in refused.error["found"]
    assert refused.error["fix"] == 'qbase load FILE --accept "contract:inspections=4"'
    assert samples(home) == ["S1"]
    taken = send(home, "b.csv", sample(2), accept=["contract:inspections=4"])
    assert taken.warnings == ("inspections:contract_accepted 1",)
    assert samples(home) == ["S1", "S2"]
    assert read_recipe(None, home.root).accept == {"contract:inspections=4"}
    assert send(home, "c.csv", sample(3)).verdict == "OK"


@pytest.mark.parametrize(("make", "found"), UNMIXABLE)
def test_two_types_units_or_meanings_never_share_a_column(
    home: Workspace, change: Any, make: Change, found: str
) -> None:
    send(home, "a.csv", sample(1))
    change(make)
    report = send(home, "b.csv", sample(2), accept=["contract:inspections=4"])
    assert (report.verdict, report.error and report.error["code"]) == ("REJECTED", "QB334")
    assert report.error is not None
    assert found in report.error["found"]
    column = found.partition(":")[0]
    assert f"inspections.toml: {column}, {column}_v4 (required = false)" in report.error["fix"]
    assert samples(home) == ["S1"]


def test_the_ledger_keeps_every_contract_rows_were_stored_under(home: Workspace, change: Any) -> None:
    assert read_stored_contract(home, "inspections") is None
    send(home, "a.csv", sample(1))
    assert read_stored_contract(home, "inspections") == describe_contract(read_contract("inspections"))
    new = change(ADDITIVE[0][0])
    assert send(home, "b.csv", "坏行").accepted == 0
    assert read_stored_contract(home, "inspections")["version"] == 3  # type: ignore[index]
    send(home, "c.csv", sample(2))
    assert read_stored_contract(home, "inspections") == describe_contract(new)
    with home.book.reading() as connection:
        assert connection is not None
        rows = connection.exec_driver_sql(
            "SELECT c.version FROM delivery_tables d JOIN contracts c ON c.number = d.contract ORDER BY d.delivery"
        )
        assert rows.scalars().all() == [3, 4]


def test_an_older_package_is_a_breaking_change_too(home: Workspace, change: Any) -> None:
    change(ADDITIVE[0][0])
    send(home, "a.csv", sample(1))
    change(lambda c: c)
    back = compare_contracts(read_stored_contract(home, "inspections"), describe_contract(read_contract("inspections")))  # type: ignore[arg-type]
    assert back.broken == ("extra: text -> -",)


def test_a_lake_from_before_contracts_were_recorded_is_upgraded_and_goes_on(home: Workspace, make_older: Any) -> None:
    send(home, "a.csv", sample(1))
    make_older(home.ledger, 2)
    assert read_stored_contract(home, "inspections") is None
    assert home.deliveries()["by_table"].tolist() == [{}]
    assert send(home, "b.csv", sample(2)).verdict == "OK"
    assert read_stored_contract(home, "inspections") == describe_contract(read_contract("inspections"))
    assert samples(home) == ["S1", "S2"]


# --- what a file may add, lack or write otherwise


def test_unknown_columns_are_told_and_missing_ones_stop(home: Workspace) -> None:
    report = send(home, "a.csv", sample(1) + ",x", head=HEAD + ",天气")
    assert report.warnings == ("天气:unknown_column",)
    assert send(home, "b.csv", sample(2)).verdict == "OK"  # no optional column at all
    lacks = send(home, "c.csv", sample(3).rpartition(",")[0], head=HEAD.rpartition(",")[0])
    assert (lacks.error and lacks.error["code"]) == "QB321"


def test_the_probability_of_being_drawn_is_a_share_above_nothing(home: Workspace) -> None:
    head = HEAD + ",入样概率"
    rows = [f"{sample(i)},{p}" for i, p in enumerate(("0.25", "25%", "1", "", "0", "1.5", "-0.1", "many"))]
    report = send(home, "a.csv", *rows, head=head)
    assert (report.accepted, report.quarantined) == (4, 4)
    assert {code: n for code, n in report.reasons.items() if code != "header"} == {
        "inclusion_probability:number": 1, "inclusion_probability:range": 2, "rule:inclusion_is_possible": 2,
    }  # fmt: skip
    found = home.query("SELECT inclusion_probability AS p FROM inspections ORDER BY sample_no")["p"].tolist()
    assert found[:3] == [0.25, 0.25, 1.0]
    assert found[3] != found[3]
    named = send(home, "b.csv", f"{sample(20)},12.5", head=HEAD + ",sampling probability（%）")
    assert named.warnings == ("%:unit_converted 1",)
    assert home.query("SELECT inclusion_probability AS p FROM inspections WHERE sample_no = 'S20'")["p"][0] == 0.125
