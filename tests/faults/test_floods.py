"""F36: floods of small outputs are ended with their reason, and what they take of memory is bounded."""

from __future__ import annotations

import os

import pytest

from tests.faults.fault_letters import TELL, House

FLOODS = {
    "displays": "from IPython.display import display\nfor i in range(100_000): display(i)",
    "prints": "for i in range(60_000): print('x' * 100, flush=True)",
}
LIMITS = "[limits]\noutput_mb = 1\nseconds = 900\n"
MOST_MB = 500
"""What is kept until the limit is passed four times takes some 290 MB (fork, displays): bounded, and not flat."""


def peak_of(house: House, name: str, engine: str) -> tuple[int, str, float]:
    """Run a report in a process of its own; return its exit code, what it said and the peak of its memory in MB."""
    with house.start(name, engine) as runner:
        assert runner.stdout is not None
        said = runner.stdout.read()
        _, status, used = os.wait4(runner.pid, 0)
        runner.returncode = os.waitstatus_to_exitcode(status)
    return runner.returncode, said, used.ru_maxrss / 1024


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "kind"), [("kernel", "prints"), ("fork", "displays")])
def test_a_flood_of_small_outputs_is_ended_within_bounded_memory(house: House, engine: str, kind: str) -> None:
    """Each kind in the engine where it takes most; `study_floods.py` has more of both."""
    code, said, plain_mb = peak_of(house, house.letter("plain", TELL), engine)
    assert (code, said) == (0, "ok\n")
    name = house.letter(kind, TELL, FLOODS[kind], limits=LIMITS)
    before = house.published()
    code, said, peak_mb = peak_of(house, name, engine)
    assert code == 1
    assert said.startswith("error[QB819]"), said
    house.hold(name, before, "QB819")
    assert peak_mb < plain_mb + MOST_MB, (plain_mb, peak_mb)
