"""The short forms of `scripts/chaos` and `scripts/restart`: every kind of misfortune, and what the ledger prevents."""

from typing import get_args

import pytest

from tests.chaos.misfortunes import Kind
from tests.chaos.restart import restart_with_parked
from tests.chaos.run import Plan, play


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_happens_twice_whatever_is_killed() -> None:
    told = play(Plan(seconds=6, runs=200, workers=2, seed=7, every_s=0.9), say=lambda _: None)

    assert told.verdict.holds, told.verdict
    assert set(told.happened) == set(get_args(Kind))
    assert len(told.evidence.cases) > 15
    assert told.takeovers


@pytest.mark.slow
def test_without_the_ledger_effects_happen_twice() -> None:
    plan = Plan(seconds=4, runs=30, workers=2, seed=7, every_s=1, ledger=False, delay_ms=200, kinds=("worker killed",))

    told = play(plan, say=lambda _: None)

    assert told.verdict.twice
    assert told.verdict.lost == []


@pytest.mark.slow
def test_threads_that_wait_for_people_finish_after_everything_was_killed() -> None:
    restarted = restart_with_parked(60, workers=2)

    assert restarted.all_finished(60), restarted
