"""Everything that can be done in any order, each as one call, on an engine in this process."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from langgraph.types import StateUpdate
from pydantic import JsonValue

from contracts.errors import GatehouseError
from engine.access.keys import Principal, create_key
from engine.approvals import claims
from engine.approvals.decisions import Decided, Submission
from engine.approvals.escalation import escalate
from engine.approvals.requests import get_request
from engine.runs.model import CancelAction, Cancellation, NewRun, NewThread, Run, RunOptions
from engine.runs.runs import active_runs, list_runs
from engine.runs.threads import create_thread
from engine.store.checkpointer import FencedSaver, Holder
from engine.store.journal import Journal
from engine.store.seal import SealedSerializer
from engine.worker.worker import sweep
from tests.disorder.counter import OutsideCounter
from tests.disorder.mortal import Death, MortalCarrier
from tests.disorder.workflow import make_workflow
from tests.engines import TENANT, Bench, fresh_bench


def _person(name: str, *approves: str, role: str = "reviewer") -> Principal:
    return Principal(f"key:{name}", frozenset({role}), frozenset(approves), TENANT)


ADA = Principal("key:ada", frozenset({"caller", "reviewer"}), frozenset({"finance", "manager"}), TENANT)
"""Starts cases, and may decide those of others."""
FIN, FAY, MAX = _person("fin", "finance"), _person("fay", "finance"), _person("max", "manager")
DEE, REX, OLU = _person("dee", "finance", "manager"), _person("rex"), _person("olu", role="operator")
OWN = _person("own", "owner")
PEOPLE = (ADA, FIN, FAY, MAX, DEE, REX, OLU, OWN)
NO_OPTIONS = RunOptions()
_ROWS = "SELECT * FROM approval WHERE thread_id = ANY(%s) ORDER BY created_at, id"
_SEIZE = """
UPDATE run SET status = 'running', epoch = epoch + 1 WHERE id = (
    SELECT id FROM run WHERE thread_id = %s ORDER BY seq DESC LIMIT 1
) AND (status = 'pending' OR status = 'interrupted' AND outcome IS NULL)
  AND NOT EXISTS (SELECT 1 FROM run held WHERE held.thread_id = run.thread_id AND held.status = 'running') RETURNING *
"""
_DEAD = "UPDATE run SET lease_until = now() - interval '1 second' WHERE status = 'running' AND thread_id = ANY(%s)"
_FORGOTTEN = "UPDATE run SET updated_at = now() - interval '1 hour' WHERE status = 'pending' AND thread_id = ANY(%s)"


@dataclass
class Office:
    """The engine, the outside system, and what was tried with which answer."""

    bench: Bench
    counter: OutsideCounter = field(default_factory=OutsideCounter)
    answers: Counter[str] = field(default_factory=Counter)

    async def tried(self, what: str, call: Awaitable[Any]) -> Any:
        """What a call returned; None when it was refused, as callers are refused."""
        try:
            returned = await call
        except GatehouseError as error:
            if error.status >= 500:
                raise
            self.answers[f"{what}: {error.code}"] += 1
            return None
        self.answers[what] += 1
        return returned if returned is not None else True

    async def new_thread(self) -> str:
        async with self.bench.engine.database.transaction() as conn:
            return str((await create_thread(conn, NewThread(str(uuid.uuid4()), TENANT)))["id"])

    async def accept(
        self, thread: str, value: dict[str, JsonValue] | None, who: Principal, options: RunOptions = NO_OPTIONS
    ) -> Run:
        new = NewRun(thread, TENANT, self.bench.workflow, who.name, value, options=options)
        return await self.bench.engine.intake.accept(new)

    async def requests(self, *threads: str) -> list[dict[str, Any]]:
        """Every request of these threads, frozen ones and edited ones too, oldest first."""
        return [{**row, "id": str(row["id"])} for row in await self.bench.rows(_ROWS, [*threads])]

    async def decide(self, request_id: str, submission: Submission, who: Principal) -> Decided:
        return await self.bench.engine.answers.decide(request_id, submission, who)

    async def resume(self, thread: str, value: JsonValue, who: Principal) -> Run:
        return await self.bench.engine.answers.resume(thread, value, who)

    async def hold(self, what: str, request_id: str, who: Principal, to: Principal) -> None:
        async with self.bench.engine.database.transaction() as conn:
            match what:
                case "claim":
                    await claims.claim(conn, request_id, who, seconds=900)
                case "release":
                    await claims.release(conn, request_id, who)
                case "escalate":
                    request = await get_request(conn, request_id, tenant=who.tenant)
                    await escalate(conn, request, who, reason="now")
                case "assign":
                    await claims.assign(conn, request_id, to.name, who)
                case _:
                    await claims.delegate(conn, request_id, to.name, who)

    async def update(self, thread: str, values: dict[str, Any], as_node: str | None) -> None:
        editor = replace(self.bench.engine.editor, catalog=self.bench.engine.catalog)
        await editor.update(thread, [[StateUpdate(values, as_node)]], ADA)

    async def start_at_checkpoint(self, thread: str, place: int) -> Run:
        """A run from one of the thread's checkpoints, the newest among them."""
        query = "SELECT checkpoint_id FROM checkpoints WHERE thread_id = %s ORDER BY 1"
        found = [str(row["checkpoint_id"]) for row in await self.bench.rows(query, thread)] or ["none"]
        return await self.accept(thread, None, ADA, RunOptions(checkpoint_id=found[place % len(found)]))

    async def cancel(self, thread: str, action: CancelAction) -> None:
        """The thread's newest run, of those that have not ended if there are any."""
        async with self.bench.engine.database.transaction() as conn:
            found = await active_runs(conn, thread) or await list_runs(conn, thread, tenant=TENANT, limit=1)
        for run in found[-1:]:
            await self.bench.engine.intake.cancel(run, Cancellation(OLU.name, action))

    async def forge(self, thread: str, values: dict[str, Any], as_node: str) -> bool:
        """Write the state of a case that waits as whoever has database and seal key may, and have it go on."""
        engine, held = self.bench.engine, await self.bench.rows(_SEIZE, thread)
        if not held:
            return False
        run = Run.of(held[0])
        journal = Journal(engine.database, run.id, run.epoch)
        serde = SealedSerializer(engine.states.seal_key, tenant=TENANT, thread_id=thread)
        saver = FencedSaver(engine.database, serde, Holder(journal.hold, lambda _: None, lambda _: None))
        config: Any = {"configurable": {"thread_id": thread}, "metadata": {"run_id": run.id}}
        await engine.catalog[run.workflow].graph.copy({"checkpointer": saver}).aupdate_state(config, values, as_node)
        await journal.flush()
        await self.bench.rows("UPDATE run SET status = 'pending', lease_until = NULL WHERE id = %s", run.id)
        await self.bench.wake_ups.enqueue_lost(run.id)
        self.answers["forged"] += 1
        return True

    async def work(self, death: Death | None = None) -> None:
        """Carry runs until none waits; with a death, a worker dies over one of them."""
        carrier = self.bench.engine.carrier
        mortal = MortalCarrier(carrier, death) if death else None
        await self.bench.wake_ups.drain(mortal or carrier)
        if mortal and mortal.died:
            self.answers["a worker died"] += 1

    async def take_over(self, threads: list[str]) -> None:
        """Every worker that is silent is dead, every wake-up that is not there is lost: others go on."""
        await self.bench.rows(_DEAD, threads)
        await self.bench.rows(_FORGOTTEN, threads)
        await sweep(self.bench.engine.carrier)
        await self.work()

    async def pass_time(self, ahead: timedelta) -> None:
        """What happens by itself when the clock stands there."""
        await sweep(self.bench.engine.carrier, now=datetime.now(UTC) + ahead)


@asynccontextmanager
async def open_office(postgres: str, folder: Path) -> AsyncIterator[Office]:
    """An office on a database of its own. What a stage computed waits to be written, so that workers die at the same
    places each time."""
    async with fresh_bench(postgres, folder, hold_s=30.0) as bench:
        async with bench.engine.database.transaction() as conn:
            for person in PEOPLE:
                await create_key(conn, person.name.removeprefix("key:"), person.roles, person.approver_roles)
        office = Office(bench.offering(make_workflow()))
        office.bench.engine.carrier.systems.use("counter", office.counter.client())
        yield office
