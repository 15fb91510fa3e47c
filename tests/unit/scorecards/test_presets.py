"""Presets: inherited, compared, and refused with the nearest word."""

from __future__ import annotations

import pytest

from qbase.core.errors import DataError, UsageError
from qbase.indicators import read_rows
from qbase.scorecards import compare_presets, list_presets, read_preset

HEAD = 'version = 1\ndated_on = "2026-03-01"\nzh = "本镇"\nen = "our town"\n'
OWN = 'indicator = "D1.batch"\ntarget = 96\nzh = "镇政府计划"\nen = "plan of the town"\n'


def put(workspace, name: str, text: str) -> None:
    folder = workspace.root / "data" / "presets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(f'id = "{name}"\n{HEAD}{text}', encoding="utf-8")


def test_a_town_changes_what_it_names_and_takes_the_rest(workspace):
    put(workspace, "town", f'extends = "base_2026"\nrequired = ["D1", "N3"]\n[[target]]\n{OWN}')
    own, above = read_preset("town", workspace), read_preset("base_2026")
    assert "town" in list_presets(workspace)
    assert "town" not in list_presets()
    assert own.of_gate("D1")[0].value == 96
    assert own.of_gate("N5") == above.of_gate("N5")
    assert own.required == ("D1", "N3")
    assert own.bases == above.bases
    assert len(own.targets) == len(above.targets)
    differ = compare_presets(above, own)
    assert set(differ[differ["gate"] == "D1"]["what"]) == {"target", "source", "dated_on", "basis"}
    assert set(differ["gate"]) == {"", "D1"}


def test_the_same_preset_differs_in_nothing():
    assert compare_presets("base_2026", "base_2026").empty


@pytest.mark.parametrize(
    ("text", "error", "code", "said"),
    [
        (f'extends = "base_2062"\n[[target]]\n{OWN}', UsageError, "QB601", "base_2026?"),
        (f"[[target]]\n{OWN.replace('batch', 'bach')}", UsageError, "QB401", "D1.batch"),
        (f"[[target]]\n{OWN}widnow = 4\n", UsageError, "QB607", "window?"),
        (f'[[target]]\n{OWN}sampling = "random_drawn"\n', UsageError, "QB607", "random_draw?"),
        ('required = ["N11"]\ntarget = []\n', UsageError, "QB609", "N1"),
        ('extends = "town"\ntarget = []\n', DataError, "QB608", "town → town"),
        ("target = [\n", DataError, "QB602", "TOMLDecodeError"),
    ],
)
def test_a_typo_gets_four_lines_that_name_the_nearest(workspace, text, error, code, said):
    put(workspace, "town", text)
    with pytest.raises(error) as caught:
        read_preset("town", workspace)
    assert caught.value.code == code
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 4


def test_the_policy_text_sets_only_what_it_says():
    text = read_preset("policy_text")
    assert text.bases == (2, 3)
    assert {t.value for t in text.targets} == {100.0, 0.0}
    assert all(t.basis == "text" for t in text.targets)
    rows = read_rows()
    for target in text.targets:
        quoted = target.source.zh.split("“")[1].split("”")[0]
        assert quoted.replace("现要求化纤行业的生产企业", "") in rows[target.gate_id].target + quoted
    assert all(read_preset("base_2026").of_gate(gate) for gate in text.required)


def test_every_threshold_says_who_set_it():
    for name in list_presets():
        for target in read_preset(name).targets:
            assert target.dated_on
            is_declared = "qbase" in target.source.en or "declared" in target.source.en
            assert target.basis in ("text", "outside") or is_declared
