"""Whether listing, claiming and deciding cost more when many requests wait.

What is decided are real cases, each parked by a run of its own and carried on when it is approved. What only waits
beside them is copied in SQL from another one: rows as wide as real ones, all on its thread.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from benchmarks import TRIALS
from benchmarks.costs import Cluster
from benchmarks.ground import keys_at
from benchmarks.measuring import Pace, Row, Times
from benchmarks.processes import our_server
from benchmarks.sections import Note
from tests.outside import outside_at

_PAGE = 50
_COPY = """
INSERT INTO approval SELECT (jsonb_populate_record(a, jsonb_build_object(
    'id', gen_random_uuid(), 'freeze_key', 'copy:' || gen_random_uuid(), 'interrupt_id', md5(random()::text),
    'due_at', a.due_at + make_interval(secs => 600 * (random() - 0.5)), 'requested_at', a.requested_at))).*
FROM approval a, generate_series(1, %s) WHERE a.id = %s
"""
_WAIT = "SELECT count(*) FROM approval WHERE status = 'pending'"


@dataclass
class Desk:
    """A server with a queue, and a reviewer at it."""

    dsn: str
    caller: httpx.AsyncClient
    reviewer: httpx.AsyncClient

    async def park(self, number: int) -> str:
        """A real case that waits for a person; its thread."""
        thread: str = (await _json(self.caller.post("/threads", json={})))["thread_id"]
        body = {"assistant_id": "gate", "input": {"case": thread, "number": 11 + number % 80}}
        await _json(self.caller.post(f"/threads/{thread}/runs/wait", json=body))
        return thread

    async def request_of(self, thread: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = await _json(self.reviewer.get("/approvals", params={"thread_id": thread}))
        return found[0]

    async def decide(self, request: dict[str, Any]) -> dict[str, Any]:
        body = {"type": "approve", "action_digest": request["action_digest"]}
        return dict(await _json(self.reviewer.post(f"/approvals/{request['request_id']}/decision", json=body)))

    def fill(self, level: int, pattern: str) -> None:
        """Copy the request `pattern` until so many wait."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            row = conn.execute(_WAIT).fetchone()
            conn.execute(_COPY, (max(0, level - (row[0] if row else 0)), pattern))
            conn.execute("VACUUM ANALYZE approval")  # as Postgres does by itself a minute later


async def compare(cluster: Cluster, levels: list[int], each: int, note: Note) -> list[Row]:
    """p50 and p95 of each thing that reviewers do, at so many waiting requests, by one of them; `each` times."""
    rows: list[Row] = []
    async with _desk(cluster) as desk:
        pattern = (await desk.request_of(await desk.park(0)))["request_id"]
        await _level(desk, min(5, each), note, "warming up")
        for level in levels:
            note(f"reviews, {level} waiting")
            desk.fill(level, pattern)
            rows += [{"waiting": level, **row} for row in await _level(desk, each, note, f"{level} waiting", level)]
    return _grown(rows)


async def _level(desk: Desk, each: int, note: Note, what: str, waiting: int = _PAGE) -> list[Row]:
    note(f"reviews, {what}: parking {each} cases")
    threads = [await desk.park(nth) for nth in range(each)]
    requests = [await desk.request_of(thread) for thread in threads]
    note(f"reviews, {what}: listing, claiming, deciding")
    left = iter(requests)

    async def decide_next() -> dict[str, Any]:
        return await desk.decide(next(left))

    async def go_on(decided: dict[str, Any]) -> None:  # so that the case that goes on slows no other
        await desk.caller.get(f"/threads/{decided['thread_id']}/runs/{decided['run_id']}/join")

    async def give_back(claimed: dict[str, Any]) -> None:
        await _json(desk.reviewer.post(f"/approvals/{claimed['request_id']}/release"))

    def page(offset: int) -> Callable[[], Awaitable[Any]]:
        return lambda: _json(desk.reviewer.get("/approvals", params={"limit": _PAGE, "offset": offset}))

    return [
        await _times("list the first page", each, page(0)),
        await _times("list the last page", each, page(max(0, waiting - _PAGE))),
        await _times("claim the next", each, lambda: _json(desk.reviewer.post("/approvals/claim", json={})), give_back),
        await _times("decide", each, decide_next, go_on),
    ]


async def _times(
    what: str,
    each: int,
    one: Callable[[], Awaitable[Any]],
    after: Callable[[Any], Awaitable[None]] | None = None,
) -> Row:
    took = []
    for _ in range(each):
        began = time.perf_counter()
        result = await one()
        took.append((time.perf_counter() - began) * 1000)
        if after:
            await after(result)
    pace = Pace.of(Times(took, seconds=sum(took) / 1000))
    return {"what": what, "p50_ms": pace.p50_ms, "p95_ms": pace.p95_ms}


def _grown(rows: list[Row]) -> list[Row]:
    """With how many times as long each took as at the first level, by the median."""
    first: dict[str, float] = {}
    for row in rows:
        first.setdefault(row["what"], row["p50_ms"])
    ordered = sorted(rows, key=lambda row: [*first].index(row["what"]))
    return [row | {"of_the_first": round(row["p50_ms"] / first[row["what"]], 2)} for row in ordered]


async def _json(reply: Awaitable[httpx.Response]) -> Any:
    found = await reply
    if not found.is_success:
        raise AssertionError(f"{found.request.url.path} was answered {found.status_code}: {found.text[:500]}")
    return found.json()


@asynccontextmanager
async def _desk(cluster: Cluster) -> AsyncIterator[Desk]:
    dsn, folder = cluster.database("reviews"), cluster.home / "reviews"
    folder.mkdir()
    folder.chmod(0o755)
    async with AsyncExitStack() as stack:
        counter = stack.enter_context(outside_at(Path(folder) / "counter.sqlite"))
        served = stack.enter_context(our_server(folder, dsn, registry=TRIALS, systems={"counter": counter.url}))
        caller, reviewer = await keys_at(dsn, folder, {"bench": (["caller"], []), "desk": (["reviewer"], ["finance"])})
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=served.url, headers={"x-api-key": key}, timeout=120)
            )
            for key in (caller, reviewer)
        ]
        yield Desk(dsn, *clients)
