"""Retention: what nobody needs is forgotten, what somebody waits for and what proves something is not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from engine.audit.verify import verify
from engine.runs.model import NewThread, Run
from engine.runs.threads import create_thread, get_thread, update_thread
from engine.store.retention import is_only_janitor, prune, surplus
from engine.worker.dispatchers import ProcrastinateDispatcher
from engine.worker.janitor import Janitor, Keep, Swept
from tests.conftest import TRIALS
from tests.engines import TENANT, Bench, as_owner, fresh_bench

AT_ONCE = Keep(checkpoints=1, resting_s=0, events_s=0, webhooks_s=0, ephemeral_s=0)
TABLES = {
    "checkpoints": "SELECT checkpoint_ns, checkpoint_id, parent_checkpoint_id FROM checkpoints WHERE thread_id = %s",
    "blobs": "SELECT checkpoint_ns, channel, version FROM checkpoint_blobs WHERE thread_id = %s",
    "writes": "SELECT checkpoint_ns, checkpoint_id, task_id, idx FROM checkpoint_writes WHERE thread_id = %s",
}
KEPT = ("run", "effect", "approval", "question", "audit_record", "audit_head")


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder, registry=TRIALS) as bench:
        yield bench


@pytest.fixture(autouse=True)
async def nothing_else_is_old(bench: Bench) -> None:
    await bench.rows("UPDATE thread SET deleted_at = now() WHERE deleted_at IS NULL")
    await bench.rows("DELETE FROM run_event")


def janitor(bench: Bench, **keep: Any) -> Janitor:
    return Janitor(bench.engine.database, replace(AT_ONCE, **keep))


async def talk(bench: Bench, turns: int, *, thread_id: str = "", **options: Any) -> Run:
    """The last of so many turns of one talk."""
    trial = replace(bench, workflow="talk")
    for turn in range(turns):
        said = {"messages": [{"role": "user", "content": f"turn {turn}"}]}
        run = await trial.accept(said, thread_id=thread_id, **options)
        await trial.go_on()
        thread_id = run.thread_id
    return run


async def rows_of(bench: Bench, thread_id: str, conn: Any = None) -> dict[str, set[tuple[Any, ...]]]:
    async with AsyncExitStack() as stack:
        conn = conn or await stack.enter_async_context(bench.engine.database.transaction())
        return {
            name: {tuple(row.values()) for row in await (await conn.execute(query, (thread_id,))).fetchall()}
            for name, query in TABLES.items()
        }


async def history(bench: Bench, run: Run) -> int:
    async with bench.engine.database.transaction() as conn:
        thread = await get_thread(conn, run.thread_id, tenant=TENANT)
    return len([snapshot async for snapshot in bench.engine.states.history(thread, limit=1000)])


async def kept(bench: Bench) -> dict[str, int]:
    return {table: (await bench.rows(f"SELECT count(*) AS n FROM {table}"))[0]["n"] for table in KEPT}


PLAYS = [("talk", None), ("nested", {"number": 20}), ("three_stages", {"text": "a b"})]


@pytest.mark.parametrize(("workflow", "value"), PLAYS)
async def test_keeping_one_checkpoint_leaves_what_langgraph_itself_would_leave(
    bench: Bench, workflow: str, value: Any
) -> None:
    run = await talk(bench, 3) if workflow == "talk" else await replace(bench, workflow=workflow).played(value)
    before = await rows_of(bench, run.thread_id)

    async with as_owner(bench.engine.database) as conn:
        async with conn.transaction(force_rollback=True):
            await prune(conn, run.thread_id, await surplus(conn, run.thread_id, keep=1))
            ours = await rows_of(bench, run.thread_id, conn)
        await AsyncPostgresSaver(conn).aprune([run.thread_id], strategy="keep_latest")

    assert before != ours
    assert ours == await rows_of(bench, run.thread_id)


@pytest.mark.parametrize("keep", [1, 3, 7])
async def test_a_thread_that_rests_keeps_its_newest_checkpoints_and_goes_on(bench: Bench, keep: int) -> None:
    run = await talk(bench, 4)
    values, length = await bench.state(run), await history(bench, run)

    swept = await janitor(bench, checkpoints=keep).clean()
    after = await bench.state(run)
    again = await talk(bench, 1, thread_id=run.thread_id)

    assert length > 7
    assert (swept.threads_pruned, swept.checkpoints, after) == (1, length - keep, values)
    assert (again.status, len((await bench.state(again))["messages"])) == ("pending", 10)
    assert await history(bench, run) == keep + length // 4
    assert [d["checkpoints"] for e, d in await bench.events(run) if e == "thread.pruned"] == [length - keep]


async def test_what_was_pruned_is_looked_at_again_only_when_it_has_changed(bench: Bench) -> None:
    run = await talk(bench, 3)

    first, second = await janitor(bench).clean(), await janitor(bench).clean()
    await talk(bench, 1, thread_id=run.thread_id)
    third = await janitor(bench).clean()

    assert [swept.threads_pruned for swept in (first, second, third)] == [1, 0, 1]


async def waiting_at_a_gate(bench: Bench) -> Run:
    return await replace(bench, workflow="gate").played({"case": "c", "number": 11})


async def waiting_for_an_answer(bench: Bench) -> Run:
    return await replace(bench, workflow="question").played({"topic": "tea"})


async def with_an_effect_in_doubt(bench: Bench) -> Run:
    run = await talk(bench, 3)
    doubt = """
        INSERT INTO effect (call_key, tenant, workflow, thread_id, case_id, run_id, stage, tool, tool_version,
            effect_class, args, args_hash, action_digest, approval_id, idempotency_key, state, attempt_epoch)
        SELECT %s, tenant, workflow, thread_id, id, id, 's', 't', 'v', 'read', '{}', '', NULL, NULL, '', 'unknown', 1
        FROM run WHERE id = %s"""
    await bench.rows(doubt, run.id, run.id)
    return run


async def with_a_run_that_waits(bench: Bench) -> Run:
    run = await talk(bench, 3)
    trial = replace(bench, workflow="talk")
    return await trial.accept({"messages": []}, thread_id=run.thread_id, after_s=3600)


async def changed_just_now(bench: Bench) -> Run:
    return await talk(bench, 3)


@pytest.mark.parametrize(
    "made",
    [waiting_at_a_gate, waiting_for_an_answer, with_an_effect_in_doubt, with_a_run_that_waits, changed_just_now],
)
async def test_what_somebody_may_need_is_left_alone_even_when_its_time_is_over(bench: Bench, made: Any) -> None:
    run = await made(bench)
    await bench.rows("UPDATE thread SET expires_at = now() - interval '1 day' WHERE id = %s", run.thread_id)
    if made is changed_just_now:
        await bench.rows("UPDATE thread SET expires_at = NULL WHERE id = %s", run.thread_id)
    before = await rows_of(bench, run.thread_id)
    cleaner = janitor(bench, resting_s=60 if made is changed_just_now else 0)

    planned, swept = await cleaner.plan(), await cleaner.clean()

    assert (planned.threads_deleted, planned.checkpoints, swept.threads_deleted, swept.checkpoints) == (0, 0, 0, 0)
    assert await rows_of(bench, run.thread_id) == before


@pytest.mark.parametrize("strategy", ["delete", "keep_latest"])
async def test_a_thread_whose_time_is_over_ends_as_its_caller_wanted(bench: Bench, strategy: str) -> None:
    run = await talk(bench, 3)
    async with bench.engine.database.transaction() as conn:
        await update_thread(conn, run.thread_id, {}, 0.001, strategy, by="key:ada")
    await asyncio.sleep(0.1)
    before, cleaner = await kept(bench), janitor(bench, resting_s=3600)

    planned, swept = await cleaner.plan(), await cleaner.clean()
    left = await rows_of(bench, run.thread_id)

    assert planned == replace(swept, jobs=0)
    assert (swept.threads_deleted, len(left["checkpoints"])) == ((1, 0) if strategy == "delete" else (0, 1))
    assert (await kept(bench)) == {**before, "audit_record": before["audit_record"] + 1}
    assert (await bench.events(run))[-1][0] == ("thread.deleted" if strategy == "delete" else "thread.pruned")
    assert (await cleaner.clean()) == Swept()
    async with bench.engine.database.transaction() as conn:
        assert (await verify(conn)).findings == ()


async def test_a_thread_that_was_made_for_one_run_goes_a_while_after_it(bench: Bench) -> None:
    async with bench.engine.database.transaction() as conn:
        thread = await create_thread(conn, NewThread("11111111-1111-4111-8111-111111111111", TENANT, ephemeral=True))
    run = await talk(bench, 1, thread_id=str(thread["id"]))

    early = await janitor(bench, ephemeral_s=60, resting_s=60).clean()
    late = await janitor(bench).clean()

    assert (early.threads_deleted, late.threads_deleted) == (0, 1)
    assert {name: len(rows) for name, rows in (await rows_of(bench, run.thread_id)).items()} == dict.fromkeys(TABLES, 0)


async def test_a_thread_that_somebody_works_on_is_passed_over(bench: Bench) -> None:
    run = await talk(bench, 3)
    async with bench.engine.database.transaction() as conn:
        await get_thread(conn, run.thread_id, tenant=TENANT, lock=True)
        swept = await asyncio.wait_for(janitor(bench).clean(), timeout=5)

    assert swept.threads_pruned == 0
    assert (await janitor(bench).clean()).threads_pruned == 1


async def test_one_janitor_works_at_a_time(bench: Bench) -> None:
    await talk(bench, 3)
    async with bench.engine.database.transaction() as conn:
        assert await is_only_janitor(conn)
        blocked = await janitor(bench).clean()

    at_once = await asyncio.gather(*(janitor(bench).clean() for _ in range(4)))
    later = await janitor(bench).clean()  # for what each has left to another

    assert blocked == Swept()
    assert sum(swept.threads_pruned for swept in (*at_once, later)) == 1


async def test_events_of_runs_that_ended_long_ago_are_forgotten(bench: Bench) -> None:
    old = await talk(bench, 1, stream_modes=("values",))
    await bench.rows("UPDATE run SET finished_at = now() - interval '8 days' WHERE id = %s", old.id)
    await bench.rows("UPDATE run_event SET at = now() - interval '8 days'")
    new = await talk(bench, 1, stream_modes=("values",))
    left = "SELECT DISTINCT run_id::text AS id FROM run_event"
    before = {row["id"] for row in await bench.rows(left)}

    cleaner = janitor(bench, events_s=7 * 86_400)
    planned, swept = await cleaner.plan(), await cleaner.clean()

    assert before == {old.id, new.id}
    assert planned.events == swept.events > 0
    assert {row["id"] for row in await bench.rows(left)} == {new.id}


async def test_webhooks_are_forgotten_after_their_delivery_and_dead_ones_later(bench: Bench) -> None:
    run = await talk(bench, 1)
    made = """
        INSERT INTO webhook (id, run_id, thread_id, tenant, url, payload, status, due_at, ended_at)
        SELECT gen_random_uuid(), %s, %s, 'default', 'http://x/', '{}', s, CASE s WHEN 'pending' THEN now() END,
               now() - make_interval(days => d)
        FROM unnest(ARRAY['pending', 'delivered', 'dead']) s, unnest(ARRAY[1, 8, 80]) d"""
    await bench.rows(made, run.id, run.thread_id)

    swept = await janitor(bench, webhooks_s=7 * 86_400).clean()

    left = await bench.rows("SELECT status, count(*) AS n FROM webhook GROUP BY status ORDER BY status")
    assert swept.webhooks == 3
    assert [(row["status"], row["n"]) for row in left] == [("dead", 2), ("delivered", 1), ("pending", 3)]


async def test_wake_ups_of_dead_workers_are_forgotten_and_those_of_living_ones_are_not(bench: Bench) -> None:
    dispatcher = ProcrastinateDispatcher(bench.engine.database)
    await dispatcher.open()
    beats = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - %s::interval) RETURNING id"
    workers = [(await bench.rows(beats, age))[0]["id"] for age in ("1 second", "10 minutes")]
    for status, worker in (("doing", workers[0]), ("doing", workers[1]), ("doing", None), ("todo", None)):
        job = "INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id)"
        await bench.rows(f"{job} VALUES ('runs', 'advance', %s, %s)", status, worker)

    gone = await dispatcher.forget_dead()
    await dispatcher.close()

    left = await bench.rows("SELECT status::text, worker_id FROM procrastinate_jobs ORDER BY id")
    assert gone == 2
    assert [(row["status"], row["worker_id"]) for row in left] == [("doing", workers[0]), ("todo", None)]


async def test_the_database_does_not_grow_with_the_number_of_runs(bench: Bench) -> None:
    """Rounds of turns on one thread and of threads for one run each: cleaned between, they take the same room."""
    run = await talk(bench, 1)
    sizes = []
    for _ in range(4):
        await talk(bench, 8, thread_id=run.thread_id, stream_modes=("values",))
        for _ in range(4):
            async with bench.engine.database.transaction() as conn:
                thread = await create_thread(conn, NewThread(str(await one(conn)), TENANT, ephemeral=True))
            await replace(bench, workflow="three_stages").accept({"text": "a"}, thread_id=str(thread["id"]))
            await bench.go_on()
        await janitor(bench, checkpoints=5).clean()
        sizes.append(await rooms(bench))

    counted = [{name: rows for name, (rows, _) in size.items()} for size in sizes]
    assert counted[1] == counted[2] == counted[3]
    assert all(sizes[3][name][1] <= 1.5 * sizes[1][name][1] for name in sizes[1])


async def one(conn: Any) -> Any:
    return (await (await conn.execute("SELECT gen_random_uuid() AS id")).fetchone())["id"]


async def rooms(bench: Bench) -> dict[str, tuple[int, int]]:
    """Rows and bytes of the tables that would grow, after what autovacuum does in its time."""
    found = {}
    async with await psycopg.AsyncConnection.connect(bench.engine.database.dsn, autocommit=True) as conn:
        for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes", "run_event", "webhook"):
            await conn.execute(f"VACUUM {table}")
            size = f"SELECT count(*), pg_total_relation_size('{table}') FROM {table}"
            row = await (await conn.execute(size)).fetchone()
            assert row
            found[table] = (row[0], row[1])
    return found
