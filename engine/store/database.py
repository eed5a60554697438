"""One pool of Postgres connections and the transactions opened on it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps
from psycopg_pool import PoolTimeout

from contracts.errors import ConfigurationError, LeaseLost, StoreUnavailable
from engine.credentials.redactor import dumps
from engine.store.pool import Pool, Scoped, ScopedCursor
from engine.store.scope import APP_ROLE, READER_ROLE, SET_SCOPE, across_tenants, beginning, scope

# Whatever is kept as JSON, by whichever room: no secret that this process knows stands in it.
set_json_dumps(dumps)

Connection = psycopg.AsyncConnection[DictRow]
Read = TypeVar("Read")

FENCED_OFF = "GH001"
"""SQLSTATE raised by the SQL function `fence`."""

_LOOK_AGAIN_S = 1.0
_OUTAGE_S = 30.0

RECONNECT_S = 3.0
"""A pool tries again after 1, 2, 4 seconds and so on: after a long outage it would stay away for as long again.

One that has given up begins anew for whoever needs a connection next.
"""

_TAKE_ROLE = f"SET LOCAL ROLE {APP_ROLE}".encode()
# A worker that is stopped inside a transaction holds its runs' rows: nobody could take them over while it stands.
_GIVE_UP_SILENT_CLIENTS = "SET idle_in_transaction_session_timeout = '5s'"


class Database:
    """A pool whose connections autocommit; several statements belong in `transaction()`.

    Each transaction and each read works in the scope of its task, see `engine.store.scope`; without one it is refused.
    """

    def __init__(self, dsn: str, *, size: int = 20, pooler: str = "", replica: str = "") -> None:
        """`pooler`: address of one that gives out server connections by the transaction; the pool connects there.

        `dsn` is for what needs a session of its own: whoever listens, and migrations. `replica`: address of a copy of
        the database, for those who look by `looking`.
        """
        self.dsn = dsn
        self._pooler = pooler
        # A statement that is prepared on one server connection is unknown to the next transaction's.
        options = connection_options() | ({"prepare_threshold": None} if pooler else as_application(dsn))
        self.pool = Pool(
            pooler or dsn,
            min_size=2,
            max_size=size,
            open=False,
            timeout=10,
            max_idle=300,
            max_lifetime=3600,
            reconnect_timeout=RECONNECT_S,
            kwargs=options | {"cursor_factory": ScopedCursor},
            configure=None if pooler else _configure,
        )
        few: dict[str, Any] = {"min_size": 1, "max_size": size, "reconnect_timeout": RECONNECT_S, "timeout": 10}
        self._replica = Pool(replica, open=False, kwargs=connection_options(), **few) if replica else None
        self._waiting: dict[int, list[Callable[[bool], None]]] = {}
        self._looking: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Raises `StoreUnavailable` when the database does not answer within ten seconds, `ConfigurationError`."""
        await self._open(self.pool, "DATABASE_URL, or unset it to use the embedded Postgres")
        if self._replica:
            await self._open(self._replica, "GATEHOUSE_READ_URL, or unset it to read where everything is written")
        if self._pooler:
            await self._require_guard()

    async def _open(self, pool: Pool, check: str) -> None:
        try:
            await pool.open(wait=True, timeout=10)
        except PoolTimeout as error:
            await pool.close()
            await self.pool.close()
            raise StoreUnavailable(
                "Postgres does not answer at the configured address.", hint=f"Check {check}."
            ) from error

    async def _require_guard(self) -> None:
        with across_tenants("the pooler's settings are nobody's"):
            rows = await self.fetch("SELECT current_setting('idle_in_transaction_session_timeout') AS set")
        if rows[0]["set"] == "0":
            await self.close()
            raise ConfigurationError(
                "Behind a pooler, a worker that is stopped inside a transaction would hold its runs for ever.",
                hint="ALTER ROLE … SET idle_in_transaction_session_timeout = '5s', for the role of GATEHOUSE_POOL_URL.",
            )

    async def close(self) -> None:
        await asyncio.gather(*self._looking)
        await self.pool.close()
        if self._replica:
            await self._replica.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction: committed at the end, rolled back by any exception."""
        async with self._connection() as conn:
            await self._begin(conn)
            yield conn
            await self._commit(conn)

    @asynccontextmanager
    async def transaction_after(self, first: Callable[[Connection], Awaitable[None]]) -> AsyncIterator[Connection]:
        """A transaction that begins with statements that answer nothing, sent together with its start.

        Only these are pipelined: between statements of a pipeline Postgres does not count a client as idle, and one
        that is stopped there would hold its locks.
        """
        # psycopg would keep pipelining to the end of a transaction that it began itself in a pipeline.
        async with self._connection() as conn:
            async with conn.pipeline() as pipeline:
                await conn.execute("BEGIN")
                if self._pooler:
                    await conn.execute(_TAKE_ROLE)
                await conn.execute(SET_SCOPE, scope().settings)
                await first(conn)
                # Leaving the pipeline asks for a flush, which ends Postgres's watch for idle clients if it is read
                # after the answer; after a sync there is nothing left to wait for.
                await pipeline.sync()
            yield conn
            await self._commit(conn)

    def after_commit(self, conn: Connection, call: Callable[[bool], None]) -> None:
        """Have `call` called when the transaction of `conn` has been committed (True) or rolled back (False)."""
        self._waiting.setdefault(id(conn), []).append(call)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """A connection outside of any transaction, to read: each statement sees what was committed before it."""
        async with self.errors_explained(), self.pool.connection() as conn:
            conn.reads_as, conn.takes_role = scope(), APP_ROLE if self._pooler else ""
            try:
                yield conn
            finally:
                conn.reads_as = None

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """A connection on which all statements see the same moment; nothing can be changed."""
        async with self._connection() as conn:
            await self._begin(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield conn
            await self._commit(conn)

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[Connection]:
        """A transaction of whoever reads for tools: it sees their records, on the replica if there is one.

        Postgres refuses it everything else, and every change.
        """
        async with self.errors_explained(), (self._replica or self.pool).connection() as conn:
            await self._begin(conn, "BEGIN READ ONLY", role=READER_ROLE)
            yield conn
            await conn.commit()

    async def fetch(self, query: LiteralString, params: dict[str, Any] | None = None) -> list[DictRow]:
        """Rows of one read statement."""
        async with self.reading() as conn:
            return await (await conn.execute(query, params)).fetchall()

    async def _begin(self, conn: Scoped, begin: str = "BEGIN", *, role: str = "") -> None:
        takes = role or (APP_ROLE if self._pooler else "")
        # As text and not prepared, so that all of it goes in one message.
        await conn.execute(beginning(scope(), begin, role=takes).encode(), prepare=False)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Scoped]:
        """A connection of the pool, which rolls back what is not committed at the end."""
        async with self.errors_explained(), self.pool.connection() as conn:
            try:
                yield conn
            finally:
                for call in self._waiting.pop(id(conn), ()):
                    call(False)

    async def _commit(self, conn: Connection) -> None:
        """To its end, also for who is cancelled meanwhile: what waits for the commit must know what became of it."""
        commit = asyncio.create_task(conn.commit())
        try:
            await asyncio.shield(commit)
        finally:
            await _ended(commit)
            if commit.exception() is None:
                for call in self._waiting.pop(id(conn), ()):
                    call(True)

    @asynccontextmanager
    async def errors_explained(self) -> AsyncIterator[None]:
        """Raises `StoreUnavailable` where the block, which uses the pool by itself, loses its connection."""
        try:
            yield
        except (psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout) as error:
            self._look_for_dead()
            await asyncio.sleep(0)  # so that the look begins before somebody else is given what it should find
            raise StoreUnavailable(f"The database went away: {type(error).__name__}.") from error
        except psycopg.Error as error:
            raise_if_fenced(error)
            raise

    def _look_for_dead(self) -> None:
        """Connections mostly die together; each that stays in the pool would fail somebody else, too."""
        # Also while another look is under way: that one may be past a connection that has died since.
        looking = asyncio.create_task(self.pool.check(), name="look for dead connections")
        self._looking.add(looking)
        looking.add_done_callback(self._looking.discard)


async def patiently(read: Callable[[], Awaitable[Read]]) -> Read:
    """What `read` gives; a database that is away for up to half a minute is waited for. Raises `StoreUnavailable`."""
    away_s = 0.0
    while True:
        try:
            return await read()
        except StoreUnavailable:
            if (away_s := away_s + _LOOK_AGAIN_S) > _OUTAGE_S:
                raise
            await asyncio.sleep(_LOOK_AGAIN_S)


async def _ended(commit: asyncio.Task[None]) -> None:
    while not commit.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({commit})


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Connection]:
    """One connection outside of any pool, as the owner of the schema, who sees what is everybody's.

    Raises `StoreUnavailable` when the database does not answer.
    """
    try:
        conn = await psycopg.AsyncConnection.connect(dsn, connect_timeout=10, **connection_options())
    except psycopg.OperationalError as error:
        raise StoreUnavailable(
            f"Postgres does not let us in: {str(error).splitlines()[0]}",
            hint="Check DATABASE_URL, or unset it to use the embedded Postgres.",
        ) from error
    async with conn:
        await conn.execute("SET gatehouse.across = 'on'")
        yield conn


async def _configure(conn: Connection) -> None:
    await conn.execute(_GIVE_UP_SILENT_CLIENTS)


def connection_options() -> dict[str, Any]:
    """Options every connection to the store has: dead peers are noticed within about half a minute."""
    return {
        "autocommit": True,
        "prepare_threshold": 0,
        "row_factory": dict_row,
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "application_name": "gatehouse",
    }


def as_application(dsn: str) -> dict[str, Any]:
    """Options of a connection that has the application's rights from its first statement to its last."""
    given = conninfo_to_dict(dsn).get("options") or ""
    return {"options": f"{given} -c role={APP_ROLE}".strip()}


def raise_if_fenced(error: psycopg.Error) -> None:
    """Translate the fence's SQLSTATE; any other error is left to the caller."""
    if error.sqlstate == FENCED_OFF:
        raise LeaseLost(str(error).splitlines()[0]) from error
