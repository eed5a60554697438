"""`scripts/chaos`: runs with effects while workers, server and Postgres are killed, and a verdict at the end."""

import argparse
import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from rich.console import Console

from tests.chaos.load import Load
from tests.chaos.misfortunes import Kind, Misfortunes
from tests.chaos.person import find_out
from tests.chaos.rig import open_rig
from tests.chaos.verdict import Evidence, Takeover, Verdict, judge, quantile, read_evidence, takeovers
from tests.conftest import pytest_configure, wait_until_up
from tests.outside import Outside

_SETTLE_S = 120


@dataclass(frozen=True)
class Told:
    """What came of it all."""

    verdict: Verdict
    evidence: Evidence
    happened: Counter[str]
    takeovers: list[Takeover]
    seconds: float


@dataclass(frozen=True)
class Plan:
    """How long, how many, how often."""

    seconds: float
    runs: int
    workers: int
    seed: int
    every_s: float = 1.5
    ledger: bool = True
    at_a_time: int = 32
    """Runs under way."""
    delay_ms: int = 40
    """How long the outside system takes: the longer, the more calls are under way when a worker dies."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    enough: Callable[[Outside], bool] = lambda _: False
    """Whether what was counted outside by now shows already what is to be shown."""


def play(plan: Plan, say: Callable[[str], None]) -> Told:
    """Carry the plan out. Leaves no process and no file behind."""
    began = time.monotonic()
    with open_rig(workers=plan.workers, ledger=plan.ledger, delay_ms=plan.delay_ms) as rig:
        load = Load(rig, plan.runs, at_a_time=plan.at_a_time)
        misfortunes = Misfortunes(rig, random.Random(plan.seed), plan.every_s, plan.kinds)
        asyncio.run(_play(load, misfortunes, plan, say))
        wait_until_up(rig.url)
        doubts = find_out(rig)
        asyncio.run(_settle(load, say))
        evidence = read_evidence(rig, load.accepted, doubts)
        taken = takeovers(rig, misfortunes.silenced, misfortunes.outages)
    return Told(judge(evidence), evidence, misfortunes.happened, taken, time.monotonic() - began)


async def _play(load: Load, misfortunes: Misfortunes, plan: Plan, say: Callable[[str], None]) -> None:
    over = asyncio.Event()
    submitting = asyncio.create_task(load.submit(over))
    await _begun(load.rig.outside)
    began, striking = time.monotonic(), asyncio.create_task(misfortunes.strike_until(over))
    while (elapsed := time.monotonic() - began) < plan.seconds and not plan.enough(load.rig.outside):
        if submitting.done():
            break
        load.rig.supervise()
        say(f"{elapsed:4.0f} s  {len(load.accepted)} accepted, {misfortunes.happened.total()} misfortunes")
        await asyncio.sleep(1)
    over.set()
    await asyncio.gather(striking, submitting)
    await _settle(load, say)


async def _begun(outside: Outside) -> None:
    """Until the first effect has happened: before, misfortunes would strike those who carry nothing."""
    for _ in range(600):
        if outside.counted():
            return
        await asyncio.sleep(0.1)


async def _settle(load: Load, say: Callable[[str], None]) -> None:
    """Until every run has ended, or it is too late for one that has not."""
    ends_at = time.monotonic() + _SETTLE_S
    while time.monotonic() < ends_at:
        load.rig.supervise()
        if not (left := await asyncio.to_thread(load.open_runs)):
            break
        say(f"{left} runs left")
        await asyncio.sleep(0.5)


class Say:
    """Progress on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    def __call__(self, what: str) -> None:
        self._console.print(what, end="\r" if self._console.is_terminal else "\n")


def show(told: Told, plan: Plan) -> None:
    """The verdict on standard output."""
    console, verdict, evidence = Console(), told.verdict, told.evidence
    outcomes, doubts = Counter(case.outcome or "none" for case in evidence.cases), evidence.doubts
    console.print(f"seed {plan.seed}, {plan.workers} workers, {told.seconds:.0f} s, {os.cpu_count()} cores")
    console.print(f"misfortunes: {_counted(told.happened)}")
    console.print(f"cases: {len(evidence.cases)} ({_counted(outcomes)})")
    console.print(f"effects: {sum(evidence.counted.values())} happened, {len(evidence.effects)} in the ledger")
    console.print(f"unknown until a person found out: {doubts.happened} had happened, {doubts.did_not} had not")
    console.print(f"takeovers: {_timing(told.takeovers, outage=False)}")
    console.print(f"takeovers while Postgres was killed, too: {_timing(told.takeovers, outage=True)}")
    console.print(f"cases lost: {len(verdict.lost)}, effects twice: {len(verdict.twice)}")
    for name, found in vars(verdict).items():
        if found:
            console.print(f"[red]{name}[/red] ({len(found)}): {found[:5]}")
    console.print("[green]held[/green]" if verdict.holds else "[red]violated[/red]")


def _timing(found: list[Takeover], *, outage: bool) -> str:
    seconds = sorted(takeover.seconds for takeover in found if takeover.outage is outage)
    return f"{len(seconds)}, p50 {quantile(seconds, 0.5):.1f} s, p95 {quantile(seconds, 0.95):.1f} s"


def _counted(what: Counter[str]) -> str:
    return ", ".join(f"{times} {name}" for name, times in what.most_common())


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=240, help="how long misfortunes strike")
    parser.add_argument("--runs", type=int, default=5_000, help="at most so many runs")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--without-ledger", action="store_true", help="show what the ledger prevents: must be violated")
    options = parser.parse_args()
    pytest_configure()
    plan = Plan(options.seconds, options.runs, options.workers, options.seed, ledger=not options.without_ledger)
    told = play(plan, Say())
    show(told, plan)
    sys.exit(0 if told.verdict.holds else 1)


if __name__ == "__main__":
    main()
