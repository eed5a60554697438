"""Everything that is done to threads and runs at once takes its locks in one order: Postgres finds no deadlock."""

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import psycopg
import pytest
from langgraph.types import StateUpdate

from contracts.errors import GatehouseError
from engine.access.keys import Principal
from engine.runs.model import CancelAction, Cancellation, MultitaskStrategy, NewRun, NewThread, Run, RunOptions
from engine.runs.runs import delete_run, list_runs
from engine.runs.threads import create_thread
from engine.wiring import running_worker
from tests.conftest import TRIALS, Site, fresh_database
from tests.engines import FIN, TENANT, Bench, bench_on

ADA = Principal("key:ada", frozenset({"caller"}), frozenset(), TENANT)
INPUTS: dict[str, dict[str, Any]] = {
    "three_stages": {"text": "three blind mice"},
    "question": {"topic": "mice"},
    "gate": {"case": "mice", "number": 20},
}
CALLERS, FOR_S = 12, 5.0
# A place is looked for at each new case, sometimes in vain, and what waits is warned of at once.
HURRIED = {"trials": {"capacity": 2, "warn_s": 1, "target_s": 1}}
ASKED = """SELECT interrupt_id FROM approval WHERE thread_id = %s AND status = 'pending'
           UNION ALL SELECT interrupt_id FROM question WHERE thread_id = %s AND status = 'open'"""
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@dataclass
class Crowd:
    """Callers who get in each other's way on one thread of each workflow."""

    bench: Bench
    until: float
    threads: dict[str, str] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)

    async def ask(self, workflow: str) -> None:
        strategy: MultitaskStrategy = random.choice(get_args(MultitaskStrategy))
        options = RunOptions(interrupt_before=("*",) if random.random() < 0.3 else ())
        await self._accept(workflow, INPUTS[workflow], strategy, options, after_s=random.choice((0, 0, 0.05)))

    async def go_on(self, workflow: str) -> None:
        options = RunOptions(goto=("sum_up",)) if workflow == "question" else RunOptions()
        await self._accept(workflow, None, "interrupt", options)

    async def answer(self, workflow: str) -> None:
        thread_id, answer = self.threads[workflow], {"type": "reject"} if workflow == "gate" else "they run"
        for asked in await self.bench.rows(ASKED, thread_id, thread_id):
            who = FIN if workflow == "gate" else ADA
            await self.bench.engine.answers.resume(thread_id, {asked["interrupt_id"]: answer}, who)

    async def cancel(self, workflow: str) -> None:
        action: CancelAction = random.choice(get_args(CancelAction))
        for run in await self._some_run(workflow):
            await self.bench.engine.intake.cancel(run, Cancellation(ADA.name, action))

    async def forget(self, workflow: str) -> None:
        for run in await self._some_run(workflow):
            async with self.bench.engine.database.transaction() as conn:
                await delete_run(conn, run, by=ADA.name)

    async def edit(self, workflow: str) -> None:
        update = StateUpdate(values=INPUTS[workflow], as_node="__input__")
        await self.bench.engine.editor.update(self.threads[workflow], [[update]], ADA)

    async def copy(self, workflow: str) -> None:
        await self.bench.engine.editor.copy(self.threads[workflow], ADA)

    async def prune(self, workflow: str) -> None:
        await self.bench.engine.editor.prune(self.threads[workflow], ADA)

    async def delete(self, workflow: str) -> None:
        await self.bench.engine.editor.delete(self.threads[workflow], ADA)
        await self.renew(workflow)

    async def renew(self, workflow: str) -> None:
        async with self.bench.engine.database.transaction() as conn:
            made = await create_thread(conn, NewThread(str(uuid.uuid4()), TENANT, workflow=workflow))
        self.threads[workflow] = str(made["id"])

    async def call(self) -> None:
        often: list[Callable[[str], Awaitable[None]]] = [self.ask, self.cancel, self.answer]
        acts = [*often * 3, self.go_on, self.forget, self.edit, self.copy, self.prune, self.delete]
        while time.monotonic() < self.until:
            act, workflow = random.choice(acts), random.choice(list(INPUTS))
            try:
                await act(workflow)
            except GatehouseError as error:
                if error.status >= 500:
                    raise
                self.told[error.code] += 1
            else:
                self.told[act.__name__] += 1

    async def _accept(
        self, workflow: str, value: Any, strategy: MultitaskStrategy, options: RunOptions, **more: Any
    ) -> None:
        new = NewRun(self.threads[workflow], TENANT, workflow, ADA.name, value, multitask_strategy=strategy)
        await self.bench.engine.intake.accept(replace(new, options=options, **more))

    async def _some_run(self, workflow: str) -> list[Run]:
        async with self.bench.engine.database.reading() as conn:
            found = await list_runs(conn, self.threads[workflow], tenant=TENANT, limit=4)
        return random.sample(found, min(1, len(found)))


@pytest.fixture
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    with fresh_database(postgres) as dsn:
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(f"ALTER DATABASE {conn.info.dbname} SET deadlock_timeout = '20ms'")  # type: ignore[arg-type]
        site = Site(dsn, folder / "crowd", folder / "unused", TRIALS)
        async with bench_on(site, shared=True, sweep_every_s=0.1, queues=HURRIED) as bench:
            yield bench


async def test_nothing_that_is_done_at_once_to_threads_and_runs_deadlocks(bench: Bench) -> None:
    crowd = Crowd(bench, time.monotonic() + FOR_S)
    for workflow in INPUTS:
        await crowd.renew(workflow)

    async with running_worker(bench.engine), asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(crowd.call())

    assert {"ask", "cancel", "answer", "thread_busy", "queue_full"} <= set(crowd.told)
    assert await bench.rows(DEADLOCKS) == [{"deadlocks": 0}]
