"""Where a command looks and acts: a server over HTTP, or the configured database itself."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer
from pydantic_core import to_jsonable_python

from commands.client import call
from commands.terminal import note
from engine.access.keys import Principal, authenticate
from engine.opening import open_database
from engine.settings import read_settings
from engine.store.database import Connection, Database
from engine.store.scope import has_scope, of_tenant

T = TypeVar("T")
Look = Callable[[Connection], Awaitable[Any]]
Query = dict[str, Any]

Url = Annotated[
    str,
    typer.Option(envvar="GATEHOUSE_URL", help="Ask this server; by default the database is looked at itself."),
]
Key = Annotated[str, typer.Option(envvar="GATEHOUSE_API_KEY", help="Whose key to act with.", show_default=False)]


def on_database(look: Callable[[Connection], Awaitable[T]], *, snapshot: bool = False, migrates: bool = False) -> T:
    """What `look` sees, in a transaction on the configured database, of the tenant `GATEHOUSE_TENANT`.

    Where the caller has entered another scope, that one counts. With `snapshot`, all of it is of one moment.
    """

    async def run() -> T:
        async with (
            open_database(read_settings(), note, migrates=migrates) as database,
            database.snapshot() if snapshot else database.transaction() as conn,
        ):
            return await look(conn)

    if has_scope():
        return asyncio.run(run())
    with of_tenant(own_tenant()):
        return asyncio.run(run())


def own_tenant() -> str:
    """Whose runs the commands see on the database itself: `GATEHOUSE_TENANT`."""
    return read_settings().tenant


@dataclass(frozen=True)
class Where:
    """A server's address and a key for it; without an address, this installation's database."""

    url: str
    key: str

    def ask(self, path: str, look: Look, query: Query | None = None) -> Any:
        """What `GET path` answers, or `look` at the database: both come as the same JSON."""
        with self.asking() as ask:
            return ask(path, look, query)

    @contextmanager
    def asking(self) -> Iterator[Callable[[str, Look, Query | None], Any]]:
        """`ask` for several questions over one connection."""
        if self.url:
            yield lambda path, _, query: call("GET", path, url=self.url, key=self.key, query=_given(query or {}))
            return
        stack = AsyncExitStack()
        with asyncio.Runner() as loop:
            # Whoever looks leaves the schema alone: servers of another version may be at work on it.
            database = loop.run(stack.enter_async_context(open_database(read_settings(), note, migrates=False)))
            try:
                yield lambda _, look, __: to_jsonable_python(loop.run(_look(database, look)))
            finally:
                loop.run(stack.aclose())

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the server, or to the same routes in this process where no server was named."""
        with self.sending() as send:
            return send(method, path, body)

    @contextmanager
    def sending(self) -> Iterator[Callable[[str, str, Any], Any]]:
        """`send` for several requests. Without a key, whoever may open the database is an operator, and no reviewer."""
        if self.url:
            yield lambda method, path, body: call(method, path, url=self.url, key=self.key, body=body)
            return
        # Imported here because it takes seconds that commands which only look need not spend.
        from commands.inside import inside  # noqa: PLC0415

        with inside(self._principal) as send:
            yield send

    async def _principal(self, conn: Connection) -> Principal:
        if self.key:
            return await authenticate(conn, self.key)
        return Principal(f"local:{getpass.getuser()}", frozenset({"caller", "operator"}), frozenset(), own_tenant())


async def _look(database: Database, look: Look) -> Any:
    with of_tenant(own_tenant()):
        async with database.transaction() as conn:
            return await look(conn)


def _given(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}
