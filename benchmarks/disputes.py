"""The billing dispute that pays a small refund and replies: a real workflow with tools, gates and a mail."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg_pool import AsyncConnectionPool

from benchmarks import ROOT
from benchmarks.bare_dispute import run_bare
from benchmarks.costs import Cluster
from benchmarks.ground import GOVERNED, key_at, pool_at
from benchmarks.measuring import Pace, Row, median_of, timed
from benchmarks.processes import our_server
from benchmarks.sections import CALLERS, Effort, Note
from commands.sandbox import sandbox_clients
from evals.worlds.newcomer import open_account
from evals.worlds.store import Store
from graphs.billing_dispute.state import Claim

_COMPLAINT = "I was charged twice at Corner Shop."
OneRun = Callable[[], Awaitable[None]]


async def compare(cluster: Cluster, effort: Effort, note: Note) -> list[Row]:
    """Floor and server by turns, with the same fakes and rules in place of models."""
    floor_dsn, dsn = cluster.database("disputes_floor"), cluster.database("disputes")
    folder = cluster.home / "disputes"
    folder.mkdir()
    folder.chmod(0o755)
    worlds = folder / "worlds.sqlite"
    clients, claims = sandbox_clients(worlds), _claims(worlds)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(pool_at(floor_dsn))
        await AsyncPostgresSaver(pool).setup()
        sandbox = ("--sandbox", "--worlds", str(worlds))
        served = stack.enter_context(our_server(folder, dsn, *sandbox, registry=ROOT / "langgraph.json"))
        headers = {"x-api-key": await key_at(dsn, folder)}
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=served.url, headers=headers, timeout=120))
        ways = {"floor": _bare(pool, clients, claims), GOVERNED: _governed(http, claims)}
        return await _by_turns(ways, effort, note)


async def _by_turns(ways: dict[str, OneRun], effort: Effort, note: Note) -> list[Row]:
    for one in ways.values():  # warm up, not measured
        await timed(one, runs=16, callers=8)
    rows: list[Row] = []
    for callers in CALLERS:
        found: dict[str, list[Pace]] = {name: [] for name in ways}
        for _ in range(effort.repeats):
            for name, one in ways.items():
                note(f"billing dispute, {callers} callers, {name}")
                found[name].append(Pace.of(await timed(one, runs=effort.runs // 4, callers=callers)))
        medians = {name: median_of(repeats) for name, repeats in found.items()}
        for name, median in medians.items():
            share = round(median.runs_per_s / medians["floor"].runs_per_s, 2)
            rows.append({"way": name, "callers": callers, **median.row(), "of_the_floor": share})
    return rows


def _claims(worlds: Path) -> Iterator[Claim]:
    """Disputes that were never paid: a new account for each."""
    for number in range(10_000_001, 99_999_999):
        store = Store(worlds)
        open_account(store, f"AC-{number}", amount_cents=2_500)
        store.close()
        yield {"complaint": _COMPLAINT, "account_id": f"AC-{number}"}


def _bare(pool: AsyncConnectionPool, clients: dict[str, httpx.AsyncClient], claims: Iterator[Claim]) -> OneRun:
    async def one() -> None:
        await run_bare(pool, clients, next(claims))

    return one


def _governed(http: httpx.AsyncClient, claims: Iterator[Claim]) -> OneRun:
    async def one() -> None:
        thread = (await http.post("/threads", json={})).json()["thread_id"]
        body = {"assistant_id": "billing_dispute", "input": next(claims)}
        result = (await http.post(f"/threads/{thread}/runs/wait", json=body)).json()
        if result.get("outcome") != "completed":
            raise AssertionError(f"the server did something else: {result}")

    return one
