"""The connections that a pool keeps, and how each says for whom a statement works."""

import asyncio
from collections import deque
from typing import Any, Self, cast

import psycopg
from psycopg.abc import Params, Query
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool

from engine.store.scope import SET_SCOPE, Scope


class Scoped(psycopg.AsyncConnection[DictRow]):
    """A connection that knows for whom it reads outside of transactions."""

    reads_as: Scope | None = None
    takes_role: str = ""
    """The role of each such statement, where the connection cannot keep one."""


class ScopedCursor(psycopg.AsyncCursor[DictRow]):
    """Outside of transactions, each statement is sent together with its scope, and is a transaction of its own."""

    async def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        conn = self.connection
        if not isinstance(conn, Scoped) or conn.reads_as is None:
            return await super().execute(cast(bytes, query), params, prepare=prepare, binary=binary)
        before = psycopg.AsyncCursor(conn)
        try:
            # Between two syncs a pipeline is one transaction: what is set for it ends with the statement.
            async with conn.pipeline():
                if conn.takes_role:
                    await before.execute(f"SET LOCAL ROLE {conn.takes_role}".encode())
                await before.execute(SET_SCOPE, conn.reads_as.settings)
                return await super().execute(cast(bytes, query), params, prepare=prepare, binary=binary)
        except asyncio.CancelledError:
            # Half of a pipeline may be with the server: nobody else can work on such a connection.
            await conn.close()
            raise


class _Recent(deque[psycopg.AsyncConnection[DictRow]]):
    """Gives out first what was given back last.

    Postgres has a process for each connection: a few that stay warm answer twice as fast as many that take turns.
    """

    popleft = deque.pop


class Pool(AsyncConnectionPool[Scoped]):
    """A pool that loses no cancellation, keeps few connections busy, and is soon back after an outage."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, connection_class=Scoped, **kwargs)
        self._pool = _Recent()  # type: ignore[assignment]  # one class of connections

    async def reconnect_failed(self) -> None:
        """A pool gives up for good where nobody asks; who waits already would wait in vain."""
        async with self._lock:
            if self._waiting:
                self._maybe_grow_pool()

    async def getconn(self, timeout: float | None = None) -> Scoped:  # noqa: ASYNC109  # psycopg_pool's signature
        # The pool waits by `asyncio.wait_for`, which until Python 3.12 forgets a cancellation that comes together with
        # the connection. Whoever cancelled would wait for ever: a worker would not drain, a lease not end.
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        conn = await super().getconn(timeout)
        if task and task.cancelling() > before:
            await self.putconn(conn)
            raise asyncio.CancelledError
        return conn
