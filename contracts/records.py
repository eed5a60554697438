"""What a system of ours keeps in our own Postgres, as its tools see it: JSON objects by kind and key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn, Protocol

from pydantic import JsonValue

from contracts.errors import ToolNotGranted


@dataclass(frozen=True)
class Record:
    """One record; `version` is raised by every change, from 1."""

    kind: str
    key: str
    version: int
    value: dict[str, JsonValue]


class Records(Protocol):
    """The records of the tool's own system, for the tenant of the case.

    A `transactional` tool finds and changes them in the transaction of its ledger row, a `read` only finds. For any
    other tool every method raises `ToolNotGranted`.
    """

    async def find(self, kind: str, key: str) -> Record | None:
        """The record. In a `transactional` tool nobody else changes it, or adds it, until the call is recorded."""
        ...

    async def add(self, kind: str, key: str, value: Mapping[str, JsonValue]) -> Record:
        """Keep a new record. Raises `ToolRefused` when the key is taken."""
        ...

    async def change(self, record: Record, value: Mapping[str, JsonValue]) -> Record:
        """Replace what was found. Raises `ToolRefused` when it is gone or has changed since."""
        ...

    async def remove(self, record: Record) -> None:
        """Forget what was found. Raises `ToolRefused` as `change` does."""
        ...


class NoRecords:
    """What a tool sees that may not touch any."""

    async def find(self, kind: str, key: str) -> Record | None:
        self._refuse()

    async def add(self, kind: str, key: str, value: Mapping[str, JsonValue]) -> Record:
        self._refuse()

    async def change(self, record: Record, value: Mapping[str, JsonValue]) -> Record:
        self._refuse()

    async def remove(self, record: Record) -> None:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ToolNotGranted(
            "This tool may not touch our own records so.",
            hint="Declare it effect='transactional' to change them, effect='read' to find them.",
        )


NO_RECORDS: Records = NoRecords()
