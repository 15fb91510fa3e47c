"""What every test may ask for. Reasons of skips are listed at the end; QBASE_STRICT=1 turns a skip into a failure."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import shutil

import pytest
from hypothesis import HealthCheck, settings

# the suite is the same every time; `make fuzz` searches further with --hypothesis-profile=fuzz
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
STRICT = os.environ.get("QBASE_STRICT") == "1"


@pytest.fixture(autouse=True)
def _outside_any_run(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in ("QBASE_RUN_DIR", "QBASE_RUN_ID", "QBASE_HOME", "QBASE_LANG", "QBASE_FAULT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def project_root() -> pathlib.Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data, which is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("needs a Chromium browser (apt-get install chromium)")
    return found


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Under QBASE_STRICT a skip fails, except for data that are not there."""
    outcome = yield
    report = outcome.get_result()
    asked = getattr(item, "fixturenames", ())
    excused = ("shared_data" in asked and not SHARED.is_dir()) or (
        "medicaid_panel" in asked and importlib.util.find_spec("moderndid") is None
    )
    if STRICT and report.skipped and not hasattr(report, "wasxfail") and not excused:
        report.outcome = "failed"
        report.longrepr = f"QBASE_STRICT: {item.nodeid} was skipped: {report.longrepr}"
