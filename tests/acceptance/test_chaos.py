"""The short forms of `scripts/chaos` and `scripts/restart`: every kind of misfortune, and what the ledger prevents."""

from dataclasses import replace
from typing import get_args

import pytest

from tests.chaos.misfortunes import Kind
from tests.chaos.restart import restart_with_parked
from tests.chaos.run import Plan, play
from tests.outside import Outside


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_happens_twice_whatever_is_killed() -> None:
    told = play(Plan(seconds=6, runs=200, workers=2, seed=7, every_s=0.9, at_a_time=16), say=lambda _: None)

    assert told.verdict.holds, told.verdict
    assert set(told.happened) == set(get_args(Kind))
    assert len(told.evidence.cases) >= 10


def something_happened_twice(outside: Outside) -> bool:
    return max(outside.counted().values(), default=0) > 1


@pytest.mark.slow
def test_without_the_ledger_effects_happen_twice() -> None:
    bare = Plan(seconds=40, runs=100, workers=2, seed=7, every_s=3, ledger=False, delay_ms=500)
    plan = replace(bare, at_a_time=12, kinds=("worker killed",), enough=something_happened_twice)

    told = play(plan, say=lambda _: None)

    assert told.verdict.twice
    assert told.verdict.lost == []


@pytest.mark.slow
def test_threads_that_wait_for_people_finish_after_everything_was_killed() -> None:
    restarted = restart_with_parked(30, workers=2)

    assert restarted.all_finished(30), restarted
