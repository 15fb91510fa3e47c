"""The long studies in their short form: they run, and hold what they hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.faults.fault_letters import PROJECT

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks need Linux")


@pytest.mark.slow
def test_a_batch_killed_again_and_again_publishes_each_report_once() -> None:
    """The long loop, 5,000 runs and 50 kills, is the script itself."""
    words = [str(PROJECT / "tests" / "faults" / "study_killed_runners.py"), "--runs", "30", "--kills", "2"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["missing"], told["published_twice"], told["orphans"], told["disagreements"]) == (0, 0, 0, [])
    assert told["states"]["ok"] == told["states"]["unchanged"] == 30
