"""Where a comparison takes place: one Postgres, a database for each way that keeps its state there, the servers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg_pool import AsyncConnectionPool

from benchmarks.costs import Cluster
from benchmarks.processes import Served, dev_server, our_server
from benchmarks.ways import Floor, OverHttp, Way, takes_stateless_runs
from engine.access.keys import LOCAL, create_key
from engine.opening import open_database
from engine.settings import read_settings
from engine.store.database import connection_options
from engine.store.scope import of_tenant

GOVERNED, DEV = "governed", "langgraph dev"


@dataclass
class Ground:
    """The ways to compare, the floor first; the databases and processes that belong to some of them."""

    cluster: Cluster
    ways: list[Way]
    databases: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Served] = field(default_factory=dict)


@asynccontextmanager
async def open_ground(cluster: Cluster, name: str, *, dev: bool) -> AsyncIterator[Ground]:
    """Fresh databases `<name>_floor` and `<name>`, a server on the latter, and LangGraph's own if `dev`."""
    floor_dsn, dsn = cluster.database(f"{name}_floor"), cluster.database(name)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(pool_at(floor_dsn))
        await AsyncPostgresSaver(pool).setup()
        folder = cluster.home / name
        folder.mkdir()
        folder.chmod(0o755)
        served = stack.enter_context(our_server(folder, dsn))
        http = await _client(stack, served, await key_at(dsn, folder))
        governed = OverHttp(GOVERNED, http, stateless=await takes_stateless_runs(http))
        ground = Ground(cluster, [Floor(pool), governed], {"floor": floor_dsn, GOVERNED: dsn}, {GOVERNED: served})
        if dev:
            ground.processes[DEV] = stack.enter_context(dev_server(folder))
            ground.ways.append(OverHttp(DEV, await _client(stack, ground.processes[DEV], "")))
        yield ground


@asynccontextmanager
async def pool_at(dsn: str) -> AsyncIterator[AsyncConnectionPool[Any]]:
    async with AsyncConnectionPool(dsn, max_size=20, open=False, kwargs=connection_options()) as pool:
        yield pool


async def key_at(dsn: str, folder: Path) -> str:
    [key] = await keys_at(dsn, folder, {"bench": (["caller"], [])})
    return key


async def keys_at(dsn: str, folder: Path, owners: Mapping[str, tuple[list[str], list[str]]]) -> list[str]:
    """A key for each owner, with these roles, who may approve for those."""
    settings = read_settings(DATABASE_URL=dsn, home=folder)
    with of_tenant(LOCAL.tenant):
        async with open_database(settings, lambda _: None) as database, database.transaction() as conn:
            return [await create_key(conn, name, roles, approves) for name, (roles, approves) in owners.items()]


async def _client(stack: AsyncExitStack, served: Served, key: str) -> httpx.AsyncClient:
    headers = {"x-api-key": key} if key else {}
    client = httpx.AsyncClient(base_url=served.url, headers=headers, timeout=120)
    return await stack.enter_async_context(client)
