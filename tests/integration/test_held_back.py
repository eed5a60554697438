"""What stages computed may wait to be written; nothing that anybody was told does."""

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine.runs.model import Cancellation, Run
from tests.engines import Bench, fresh_bench, in_line, stage

LONG_S = 30.0


@dataclass
class Held:
    """Stages of which the second takes as long as the test wants."""

    begun: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    async def first(self, state: Any) -> dict[str, Any]:
        return {"request_id": "made by the first"}

    async def long(self, state: Any) -> dict[str, Any]:
        self.begun.set()
        for _ in range(1000):
            if self.go_on.is_set():
                return {}
            await asyncio.sleep(0.005)
        raise TimeoutError

    def blocking(self, state: Any) -> dict[str, Any]:
        self.begun.set()
        assert self.go_on.wait(5)
        return {}

    async def carried(self, bench: Bench, second: str = "long") -> tuple[Bench, Run, asyncio.Task[None]]:
        """A run in its second stage."""
        stages = ("first", stage(self.first)), ("long", stage(getattr(self, second)))
        trial = bench.offering(in_line(*stages))
        run = await trial.accept({"account_id": "a"}, stream_modes=("updates",))
        carrying = asyncio.create_task(trial.go_on())
        await asyncio.to_thread(self.begun.wait, 5)
        return trial, run, carrying


async def told(bench: Bench, run: Run) -> list[str]:
    """Names of the events that readers of the run have been sent."""
    return [
        row["event"] for row in await bench.rows("SELECT event FROM run_event WHERE run_id = %s ORDER BY seq", run.id)
    ]


async def finished(bench: Bench, run: Run) -> list[Any]:
    return [data["stage"] for event, data in await bench.events(run) if event == "stage.finished"]


@pytest.mark.parametrize("second", ["long", "blocking"])
async def test_what_a_stage_made_is_written_while_the_next_one_takes_its_time(
    postgres: str, folder: Path, second: str
) -> None:
    async with fresh_bench(postgres, folder, hold_s=0.05) as bench:
        held = Held()
        trial, run, carrying = await held.carried(bench, second)
        await asyncio.sleep(0.5)

        seen = (await trial.state(run)).get("request_id"), await told(bench, run), await finished(bench, run)
        held.go_on.set()
        await carrying

        assert seen == ("made by the first", ["began", "updates"], ["first"])
        assert await finished(bench, run) == ["first", "long"]


async def test_a_run_that_is_cancelled_keeps_what_its_stages_made_once(postgres: str, folder: Path) -> None:
    async with fresh_bench(postgres, folder, hold_s=LONG_S) as bench:
        trial, run, carrying = await Held().carried(bench)
        before = await trial.state(run), await told(bench, run), await finished(bench, run)

        await bench.engine.intake.cancel(run, Cancellation("key:ada"))
        await carrying

        assert before == ({}, [], [])  # nobody was told anything that could be lost
        assert (await bench.again(run)).outcome == "cancelled"
        assert (await trial.state(run))["request_id"] == "made by the first"
        assert (await told(bench, run), await finished(bench, run)) == (["began", "updates", "done"], ["first"])
