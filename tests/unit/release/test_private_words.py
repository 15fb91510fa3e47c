"""What must not leave the house is found; what may is not."""

from __future__ import annotations

import getpass
import pathlib
import socket

import pytest

from qbase.release import scan_private
from qbase.release.disclosing import private_words as private

CANARY = "Zq7-canary-4471-kWx9"


@pytest.mark.parametrize(
    "text",
    [
        "see /home/li.wei/data/明细.csv",
        "in /root/qbase/run.ipynb line 3",
        "/tmp/abc/x",
        "(/usr/lib/python3)",
        r"C:\Users\Li Wei\x.xlsx",
        "File site-packages/pandas/core.py",
        "Traceback (most recent call last):",
        "postgresql://bureau:geheim@db.internal:5432/quality",
    ],
)
def test_places_and_secrets_are_found(text: str) -> None:
    assert scan_private("合格率 93.3% " + text, environment={})


@pytest.mark.parametrize(
    "text",
    [
        "合格率 93.3%（95% CI 92.6～93.9）",
        "rate per 1/2/3 and 12/24 quarters",
        "https://www.example.org/home/report and https://example.org/tmp/x",
        "the root of the mean square; a user of the report",
        "notebooks/20_quality_trends.ipynb and ./tmp/x",
        "qbase run trends -p cluster=C-LH-01",
    ],
)
def test_words_of_a_report_are_not(text: str) -> None:
    assert scan_private(text, environment={}) == []


def test_a_secret_is_named_by_its_variable_and_never_quoted() -> None:
    for name, value in (("BUREAU_TOKEN", CANARY), ("DB_PASSWORD", "horse-staple"), ("X", "a1B2c3D4e5F6g7H8i9J0k1L2")):
        found = scan_private(f"the value {value} leaked", environment={name: value})
        assert len(found) == 1
        assert name in found[0]
        assert value not in found[0]


def test_the_password_in_the_address_of_the_ledger_is_found_by_itself_too() -> None:
    environment = {"QBASE_LEDGER": "postgresql+pg8000://office:gehei%40m7@db/quality", "X": "http://a:b@c"}
    for shown in ("gehei@m7", "gehei%40m7"):
        assert scan_private(f"it is {shown}.", environment=environment) == [
            "password in the environment variable QBASE_LEDGER"
        ]
    assert scan_private("office, db and quality; a b c", environment=environment) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("TOKEN", "short"), ("LANG", "zh_CN.UTF-8"), ("QBASE_RUN_ID", "20261124T090000-4f9b63aa"), ("N", "1" * 30)],
)
def test_plain_values_of_the_environment_are_no_secret(name: str, value: str) -> None:
    assert scan_private(f"the value {value}", environment={name: value}) == []


def test_host_and_user_are_found_unless_they_are_common_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "stat-node-07")
    monkeypatch.setattr(getpass, "getuser", lambda: "runner")
    private._identities.cache_clear()
    try:
        assert scan_private("made on stat-node-07", environment={}) == ["host name stat-node-07"]
        assert scan_private("made by the runner on stat-node-071", environment={}) == []
    finally:
        private._identities.cache_clear()


def test_the_home_folder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pathlib.Path, "home", lambda: pathlib.Path("/kept/by/wang"))
    assert scan_private("in /kept/by/wang/x", environment={}) == ["home folder"]
    assert scan_private("in /kept/by/wangs/x", environment={}) == []
