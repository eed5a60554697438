"""What a worker does beside carrying runs: each errand again and again, apart from the others."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import psycopg

from contracts.errors import StoreUnavailable

_LOG = logging.getLogger("gatehouse.worker")


@dataclass(frozen=True)
class Errand:
    """Something to do every so often; safe to be done by several workers at once and to be cut off."""

    name: str
    do: Callable[[], Awaitable[object]]
    every_s: float


class Errands:
    """A task for each errand, so that none waits for another; an outage of the database is waited out."""

    def __init__(self, errands: Sequence[Errand]) -> None:
        self._errands = errands
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(_repeat(errand), name=errand.name) for errand in self._errands]

    async def stop(self) -> None:
        """Cut off what is under way; whoever does the errand next goes on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _repeat(errand: Errand) -> None:
    while True:
        try:
            await errand.do()
        except (psycopg.OperationalError, StoreUnavailable) as error:
            _LOG.warning("%s could not reach the database: %s", errand.name, error)
        await asyncio.sleep(errand.every_s)
