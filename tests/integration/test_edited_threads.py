"""A thread whose state somebody wrote from outside does not act, whatever way the write took; others do."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from langgraph.types import StateUpdate

from contracts.errors import BypassRefused
from engine.access.keys import LOCAL, Principal
from engine.assistants.model import system_assistant_id
from engine.audit import audit
from engine.runs.model import NewRun, NewThread, Run, RunOptions
from engine.runs.threads import create_thread
from engine.schedules.model import Plan
from engine.schedules.schedules import create_schedule
from engine.worker.ticks import fire_due
from tests.cases import GRAPH, TWICE
from tests.engines import TENANT, Bench, fresh_bench, refund_requests

SMALL = 2_000
ADA = Principal("key:ada", frozenset({"caller"}), frozenset(), TENANT)
PLAIN = RunOptions()
BEFORE = RunOptions(interrupt_before=("freeze_refund",))


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


async def run_on(bench: Bench, thread_id: str, options: RunOptions = PLAIN, **more: object) -> Run:
    """A run that goes on where the thread stands."""
    new = NewRun(thread_id, TENANT, GRAPH, ADA.name, None, options=options)
    return await bench.engine.intake.accept(replace(new, **more))  # type: ignore[arg-type]


async def stopped(bench: Bench, before: RunOptions = BEFORE) -> tuple[str, str]:
    """A thread that stands before a refund so small that nobody is asked, or earlier, and its account."""
    account = bench.new_account(amount_cents=SMALL)
    async with bench.engine.database.transaction() as conn:
        thread_id = str((await create_thread(conn, NewThread(str(uuid.uuid4()), TENANT)))["id"])
    claim = {"complaint": TWICE, "account_id": account}
    await bench.engine.intake.accept(NewRun(thread_id, TENANT, GRAPH, ADA.name, claim, options=before))
    await bench.go_on()
    return thread_id, account


async def standing(bench: Bench, thread_id: str) -> tuple[dict[str, object], str]:
    """Values and id of the newest checkpoint."""
    async with bench.engine.database.transaction() as conn:
        row = await (await conn.execute("SELECT * FROM thread WHERE id = %s", (thread_id,))).fetchone()
    assert row
    snapshot = await bench.engine.states.latest(row)
    assert snapshot
    return dict(snapshot.values), str(snapshot.config["configurable"]["checkpoint_id"])


async def trail(bench: Bench, thread_id: str) -> str:
    """What the audit trail of a thread says."""
    async with bench.engine.database.transaction() as conn:
        return str([link.record for link in await audit.chain(conn, audit.stream_of(thread_id))])


async def test_an_untouched_thread_pays(bench: Bench) -> None:
    thread_id, account = await stopped(bench)

    await run_on(bench, thread_id)
    await bench.go_on()

    assert bench.refunds(account) == [SMALL]


async def updated(bench: Bench, thread_id: str) -> str:
    values, _ = await standing(bench, thread_id)
    finding = {**dict(values["finding"]), "amount_cents": SMALL - 1}  # type: ignore[call-overload]
    await bench.engine.editor.update(thread_id, [[StateUpdate({"finding": finding}, "assess")]], ADA)
    await run_on(bench, thread_id)
    return thread_id


async def replayed(bench: Bench, thread_id: str) -> str:
    _, checkpoint_id = await standing(bench, thread_id)
    await run_on(bench, thread_id, RunOptions(checkpoint_id=checkpoint_id))
    return thread_id


async def sent_back(bench: Bench, thread_id: str) -> str:
    await run_on(bench, thread_id, RunOptions(goto=("assess",)))
    return thread_id


async def commanded(bench: Bench, thread_id: str) -> str:
    await run_on(bench, thread_id, RunOptions(update={"clarification": "all of it"}, interrupt_before=("assess",)))
    await run_on(bench, thread_id)
    return thread_id


async def copied(bench: Bench, thread_id: str) -> str:
    other = str((await bench.engine.editor.copy(thread_id, ADA))["id"])
    await run_on(bench, other)
    return other


async def made_up(bench: Bench, thread_id: str) -> str:
    """A new thread with the state of this one, written as super-steps."""
    values, _ = await standing(bench, thread_id)
    new = NewThread(str(uuid.uuid4()), TENANT, {"graph_id": GRAPH})
    async with bench.engine.database.transaction() as conn:
        await create_thread(conn, new)
    await bench.engine.editor.update(new.id, [[StateUpdate(values, "assess")]], ADA)
    await run_on(bench, new.id)
    return new.id


async def scheduled(bench: Bench, thread_id: str) -> str:
    """A cron on a thread that was edited."""
    values, _ = await standing(bench, thread_id)
    await bench.engine.editor.update(thread_id, [[StateUpdate({"finding": values["finding"]}, "assess")]], ADA)
    claim = {name: values[name] for name in ("complaint", "account_id")}
    schedule = Plan("* * * * *", system_assistant_id(GRAPH), {"input": claim}, thread_id=thread_id)  # type: ignore[dict-item]
    async with bench.engine.database.transaction() as conn:
        await create_schedule(conn, schedule, LOCAL)
    await fire_due(bench.engine.intake, now=datetime.now(UTC) + timedelta(minutes=2))
    return thread_id


WAYS = [updated, replayed, sent_back, commanded, copied, made_up, scheduled]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_an_edited_thread_pays_nothing_and_the_trail_says_why(
    bench: Bench, way: Callable[[Bench, str], Awaitable[str]]
) -> None:
    thread_id, account = await stopped(bench)

    edited = await way(bench, thread_id)
    await bench.go_on()

    assert refund_requests(bench, account) == 0
    assert "edited, replayed or copied from outside" in await trail(bench, edited)


@pytest.mark.parametrize("stage", ["freeze_refund", "approve_refund", "pay_refund"])
async def test_nobody_is_sent_into_a_gated_stage(bench: Bench, stage: str) -> None:
    thread_id, account = await stopped(bench)

    with pytest.raises(BypassRefused):
        await run_on(bench, thread_id, RunOptions(goto=(stage,)))
    with pytest.raises(BypassRefused):
        await run_on(bench, thread_id, RunOptions(goto=({"node": stage, "input": {}},)))
    with pytest.raises(BypassRefused):
        await bench.engine.editor.update(thread_id, [[StateUpdate({}, stage)]], ADA)

    await run_on(bench, thread_id)
    await bench.go_on()
    assert bench.refunds(account) == [SMALL]  # what was refused has changed nothing


@pytest.mark.parametrize("edits", [True, False])
async def test_a_run_accepted_for_later_does_not_act_on_what_was_written_meanwhile(bench: Bench, edits: bool) -> None:
    thread_id, account = await stopped(bench, RunOptions(interrupt_before=("compare_bill",)))
    written = {"clarification": "all of it"} if edits else None

    later = await run_on(bench, thread_id, after_s=3600.0)
    await run_on(bench, thread_id, RunOptions(interrupt_before=("assess",), update=written))
    await bench.go_on()
    await bench.rows("UPDATE run SET start_at = now() WHERE id = %s", later.id)
    await bench.wake_ups.enqueue_lost(later.id)
    await bench.go_on()

    assert bench.refunds(account) == ([] if edits else [SMALL])
