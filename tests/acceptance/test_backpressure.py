"""Far more cases than reviewers decide: the queue never holds too many, loses none, and opens by itself."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from commands.pressure import Tally
from tests.conftest import ROOT

GOOD = Tally(capacity=50, deepest=50, accepted=["a"], refused=1)


@pytest.mark.slow
def test_the_demo_of_back_pressure_holds() -> None:
    command = ["demo", "backpressure", "--seconds", "3", "--capacity", "10", "--json"]

    done = subprocess.run(
        [sys.executable, "-m", "cli", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["deepest"], told["capacity"], told["depth"], told["lost"]) == (10, 10, 0, 0)
    assert told["refused"] > told["accepted"] >= 10
    assert told["throttled_s"] > 0


@pytest.mark.parametrize(
    "wrong", [{"deepest": 51}, {"refused": 0}, {"lost": 1}, {"throttled": "capacity"}, {"depth": 1}]
)
def test_whatever_does_not_hold_is_said(wrong: dict[str, object]) -> None:
    assert GOOD.failures() == []
    assert len(replace(GOOD, **wrong).failures()) == 1  # type: ignore[arg-type]
