"""Tables as files: what is read back is what was written, by whatever program; nothing in them is a command."""

from __future__ import annotations

import dataclasses
import pathlib
import re

import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet
import pytest

from qbase.core import Estimate, Indicator, Panel, Result, Text, Withheld
from qbase.core.errors import DataError, SetupError, UsageError
from qbase.export import write_latex, write_stata, write_table
from qbase.export.stata_file import legal_names

RATE = Indicator(id="D1.batch", name=Text("监督抽查批次合格率", "batch pass rate"), unit="pct", better="up")
NAMES = {"K1": Text("青棹镇涤纶产业集群", "First"), "K2": Text("=乙", "=Second"), "K3": Text("=乙", "=Second")}
SHEET_DIGITS = 1e-15
"""openpyxl writes a number with 16 digits, not the 17 that tell all of them apart."""
SUFFIXES = (".csv", ".xlsx", ".tex", ".dta", ".parquet")


def make_panel() -> Panel:
    rows = [("K1", "2022Q3", 9, 10), ("K1", "2022Q4", 38, 41), ("K2", "2022Q3", 1, 3), ("K3", "2022Q4", 2, 7)]
    frame = pd.DataFrame(rows, columns=["cluster_id", "period", "D1.batch__k", "D1.batch__n"])
    frame["D1.batch"] = 100 * frame["D1.batch__k"] / frame["D1.batch__n"]
    return Panel.from_frame(
        frame, entity="cluster_id", period="period", freq="Q", indicators={"D1.batch": RATE}, labels=NAMES
    )


def make_result(**settings: object) -> Result:
    found = (
        Estimate(term="change", key={"entity": "K1"}, value=1 / 3, std_error=0.1, ci_low=0.1, ci_high=0.6, n_obs=9),
        Estimate(term="change", key={"entity": "K2"}, value=-2.5, ci_low=-9.0, ci_high=1.0, ci_level=0.9),
    )
    return Result(
        estimand="change", outcome=RATE, unit="pp", method="newcombe", estimates=found,
        subject=Text("=全部 & 100%", "all_clusters & 100%"), settings=settings,
    )  # fmt: skip


def read(path: pathlib.Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return pd.read_csv(path, encoding="utf-8-sig")
    if path.suffix == ".xlsx":
        return pd.read_excel(path, engine="openpyxl")
    return pd.read_stata(path) if path.suffix == ".dta" else pd.read_parquet(path)


@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if s != ".tex"])
def test_what_is_read_back_has_the_values_of_the_panel(suffix: str, tmp_path: pathlib.Path) -> None:
    panel = make_panel()
    back = read(write_table(panel, tmp_path / f"rates{suffix}", lang="zh"))
    name = "D1_batch" if suffix == ".dta" else "D1.batch"
    for companion in ("", "__k", "__n"):
        exact = SHEET_DIGITS if suffix == ".xlsx" else 0
        assert back[name + companion].tolist() == pytest.approx(
            panel.data["D1.batch" + companion].tolist(), rel=exact, abs=0
        )
    assert back["period"].tolist() == ["2022Q3", "2022Q4", "2022Q3", "2022Q4"]
    assert back["code" if suffix == ".dta" else "cluster_id"].tolist() == ["K1", "K1", "K2", "K3"]


@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if s != ".tex"])
def test_what_is_read_back_has_the_values_of_the_result(suffix: str, tmp_path: pathlib.Path) -> None:
    result = make_result()
    back = read(write_table(result, str(tmp_path / f"change{suffix}")))
    for column, field in {
        "estimate": "value",
        "conf_low": "ci_low",
        "conf_high": "ci_high",
        "level": "ci_level",
    }.items():
        exact = SHEET_DIGITS if suffix == ".xlsx" else 0
        assert back[column].tolist() == pytest.approx([getattr(e, field) for e in result.estimates], rel=exact, abs=0)
    assert back["std_error"].iloc[0] == 0.1
    assert np.isnan(back["std_error"].iloc[1])
    assert back["entity"].tolist() == ["K1", "K2"]
    assert set(back["unit"]) == {"pp"}


def test_the_same_panel_gives_the_same_bytes(tmp_path: pathlib.Path) -> None:
    for suffix in SUFFIXES:
        one, two = (write_table(make_panel(), tmp_path / f"{n}{suffix}").read_bytes() for n in "ab")
        assert one == two, suffix


def test_stata_reads_labels_in_chinese_and_dates(tmp_path: pathlib.Path) -> None:
    path = write_table(make_panel(), tmp_path / "rates.dta", lang="zh")
    with pd.io.stata.StataReader(path) as file:
        labels, words = file.variable_labels(), file.value_labels()
        assert file.data_label == "监督抽查批次合格率"
    assert labels["D1_batch"] == "监督抽查批次合格率"
    assert labels["D1_batch__n"] == "监督抽查批次合格率：检验数"
    assert labels["cluster_id"] == "产业集群"
    # two clusters of one name stay two
    assert list(words["cluster_id"].values()) == ["青棹镇涤纶产业集群", "=乙 (K2)", "=乙 (K3)"]
    back = pd.read_stata(path)
    assert back["time"].dt.to_period("Q").astype(str).tolist() == ["2022Q3", "2022Q4", "2022Q3", "2022Q4"]
    raw = pd.read_stata(path, convert_dates=False, convert_categoricals=False)
    assert raw["time"].tolist() == [250, 251, 250, 251], "quarters since 1960"
    assert raw["cluster_id"].tolist() == [0, 0, 1, 2]


def test_names_of_variables_are_legal_short_and_each_once() -> None:
    given = [
        "D1.batch__n_firms_and_a_very_long_tail",
        "D1.batch__n_firms_and_a_very_long_tale",
        "if",
        "2025",
        "名",
        "A",
        "a",
    ]
    names = legal_names(given)
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,31}", n) for n in names)
    assert len({n.lower() for n in names}) == len(given)
    import io

    frame = pd.DataFrame([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]], columns=given)
    assert pd.read_stata(io.BytesIO(write_stata(frame))).iloc[0].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]


def test_long_texts_missing_numbers_and_flags_reach_stata_whole() -> None:
    import io

    frame = pd.DataFrame(
        {"text": ["长" * 3000, None], "n": pd.array([1, None], dtype="Int64"), "is_new": [True, False]}
    )
    back = pd.read_stata(io.BytesIO(write_stata(frame)))
    assert back["text"].tolist() == ["长" * 3000, ""]
    assert back["n"].iloc[0] == 1
    assert np.isnan(back["n"].iloc[1])
    assert back["is_new"].tolist() == [1, 0]


def test_parquet_has_types_that_r_reads(tmp_path: pathlib.Path) -> None:
    schema = pyarrow.parquet.read_schema(write_table(make_panel(), tmp_path / "rates.parquet"))
    assert {str(schema.field(n).type) for n in ("cluster_id", "period", "name_zh")} <= {"string", "large_string"}
    assert str(schema.field("D1.batch").type) == "double"


def test_text_is_no_formula_and_no_command(tmp_path: pathlib.Path) -> None:
    panel, result = make_panel(), make_result()
    assert "'=乙" in write_table(panel, tmp_path / "a.csv").read_text(encoding="utf-8-sig")
    sheet = openpyxl.load_workbook(write_table(panel, tmp_path / "a.xlsx"))["table"]
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    text = write_table(result, tmp_path / "a.tex", lang="en").read_text(encoding="utf-8")
    assert r"all\_clusters \& 100\%" in text
    assert r"\caption{all\_clusters \& 100\%: batch pass rate}" in text
    body = text.split(r"\midrule")[1]
    assert "$-$2.5" in body
    assert len({line.count(" & ") for line in text.splitlines() if line.endswith(r" \\")}) == 1


@pytest.mark.parametrize(
    "evil", [r"\input{/etc/passwd}", "a & b", "100 % x", "$x$", "#1 ~ ^ _", "{", "}", "a\nb", "[2em]", "*"]
)
def test_no_cell_of_latex_can_do_anything(evil: str) -> None:
    text = write_latex(pd.DataFrame({evil: [evil], "x": [1.0]}), caption=evil, note=evil)
    plain = re.sub(r"\\[&%$#_{}]|\\text\w+\{\}|\$-\$|\\ldots\{\}", "", text.split("\n", 1)[1])
    ours = r"\\(begin|end|caption|centering|toprule|midrule|bottomrule|par|footnotesize|\\)"
    assert re.findall(r"\\(?!\\)\w*", re.sub(ours, "", plain)) == []
    assert not set("%#~^$_") & set(plain)
    assert plain.count("{") == plain.count("}")
    for line in text.splitlines():
        assert not line.startswith(("[", "*")), "the length of a line break"


def test_what_is_withheld_shows_as_such_and_is_no_gap(tmp_path: pathlib.Path) -> None:
    withheld = Withheld(edition="cn_default-1", cells=frozenset({("K2", "2022Q4")}))
    panel = dataclasses.replace(make_panel(), withheld=withheld)
    back = read(write_table(panel, tmp_path / "a.csv"))
    row = back[(back["cluster_id"] == "K2") & (back["period"] == "2022Q4")].iloc[0]
    assert (row["D1.batch"], row["D1.batch__n"], bool(row["is_withheld"])) == ("…", "…", True)
    assert back["is_withheld"].sum() == 1
    assert back["cluster_id"].tolist() == ["K1", "K1", "K2", "K2", "K3"]
    raw = pd.read_stata(write_table(panel, tmp_path / "a.dta"))
    assert raw["is_withheld"].tolist() == [0, 0, 0, 1, 0]
    assert raw["D1_batch"].isna().tolist() == [False, False, False, True, False]


def test_rows_of_firms_do_not_leave(tmp_path: pathlib.Path) -> None:
    firms = dataclasses.replace(make_panel(), entity="firm_id")
    frame = make_panel().to_frame().rename(columns={"entity": "firm_id"})
    for value in (firms, make_result(entity_kind="firm_id"), frame):
        for suffix in SUFFIXES:
            with pytest.raises(DataError, match="QB194"):
                write_table(value, tmp_path / f"a{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_and_a_suffix_that_is_none_are_told(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match="QB193"):
        write_table(make_panel(), tmp_path / "a.sav")
    (tmp_path / "file").write_text("x")
    with pytest.raises(SetupError, match="QB195"):
        write_table(make_panel(), tmp_path / "file" / "a.csv")


def test_a_result_without_an_estimate_is_an_empty_table(tmp_path: pathlib.Path) -> None:
    empty = Result(
        estimand="change", outcome=RATE, unit="pp", method="newcombe", estimates=(), subject=Text("甲", "A"),
        unanswered=Text("没有上年同期。", "There is no quarter a year ago."),
    )  # fmt: skip
    for suffix in SUFFIXES:
        assert write_table(empty, tmp_path / f"a{suffix}").stat().st_size > 0
