"""What the tests of faults ask for."""

from __future__ import annotations

import pathlib

import pytest

from tests.faults.fault_letters import House


@pytest.fixture
def house(tmp_path: pathlib.Path) -> House:
    return House(tmp_path / "home")
