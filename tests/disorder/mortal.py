"""A worker that dies in the middle: its database is gone from one of its transactions on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from contracts.errors import StoreUnavailable
from engine.store.database import Connection, Database
from engine.worker.advance import Carrier


@dataclass(frozen=True)
class Death:
    """In which of its transactions a worker dies: before its first row, or in its commit, of which it never hears."""

    nth: int
    moment: Literal["before", "after"]


class MortalDatabase:
    """The database as a worker sees it that dies."""

    def __init__(self, database: Database, death: Death) -> None:
        self._database, self._death = database, death
        self._seen, self.dead = 0, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        self._seen += 1
        self._pass("before")
        async with self._database.transaction() as conn:
            yield conn
        self._pass("after")

    @asynccontextmanager
    async def transaction_after(self, first: Callable[[Connection], Awaitable[None]]) -> AsyncIterator[Connection]:
        self._seen += 1
        self._pass("before")
        async with self._database.transaction_after(first) as conn:
            yield conn
        self._pass("after")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        self._pass("reading")
        async with self._database.reading() as conn:
            yield conn

    def _pass(self, moment: str) -> None:
        self.dead = self.dead or (self._seen, moment) == (self._death.nth, self._death.moment)
        if self.dead:
            raise StoreUnavailable("The worker is dead.")


class MortalCarrier:
    """Carries runs as a worker that dies over one of them, and those after it as another worker."""

    def __init__(self, carrier: Carrier, death: Death) -> None:
        self._carrier, self._database = carrier, MortalDatabase(carrier.database, death)
        self._mortal: Carrier = replace(carrier, database=self._database)  # type: ignore[arg-type]

    @property
    def died(self) -> bool:
        return self._database.dead

    async def advance(self, run_id: str) -> None:
        await (self._carrier if self.died else self._mortal).advance(run_id)
