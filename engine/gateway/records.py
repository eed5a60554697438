"""Records of the systems of ours: found by their tools, and changed in the transaction of a ledger row."""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from pydantic import JsonValue

from contracts.errors import ToolRefused
from contracts.records import NoRecords, Record
from engine.store.database import Connection, Database
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True)
class HeldRecords:
    """`contracts.records.Records` of one system and tenant inside the transaction of `conn`."""

    conn: Connection
    tenant: str
    system: str

    async def find(self, kind: str, key: str) -> Record | None:
        await self._one("hold_place", kind=kind, key=key)
        row = await self._one("hold_record", kind=kind, key=key)
        return Record(**row) if row else None

    async def add(self, kind: str, key: str, value: Mapping[str, JsonValue]) -> Record:
        row = await self._one("add_record", kind=kind, key=key, value=Jsonb(dict(value)))
        if row is None:
            raise ToolRefused(f"{self.system!r} has a {kind} {key!r} already.")
        return Record(**row)

    async def change(self, record: Record, value: Mapping[str, JsonValue]) -> Record:
        of = {"kind": record.kind, "key": record.key, "version": record.version}
        row = await self._one("change_record", **of, value=Jsonb(dict(value)))
        return Record(**self._unchanged(row, record))

    async def remove(self, record: Record) -> None:
        of = {"kind": record.kind, "key": record.key, "version": record.version}
        self._unchanged(await self._one("remove_record", **of), record)

    def _unchanged(self, row: DictRow | None, record: Record) -> DictRow:
        if row is None:
            raise ToolRefused(
                f"{self.system!r} no longer has version {record.version} of {record.kind} {record.key!r}."
            )
        return row

    async def _one(self, query: str, **params: object) -> DictRow | None:
        of = {"tenant": self.tenant, "system": self.system}
        return await (await self.conn.execute(_SQL[query], of | params)).fetchone()


class FoundRecords(NoRecords):
    """What a `read` sees of its system: it only finds, each time as things stand then; on a replica, as they stood.

    It finds by a role of the database that may look at these records and change nothing.
    """

    def __init__(self, database: Database, tenant: str, system: str) -> None:
        self._database = database
        self._of = {"tenant": tenant, "system": system}

    async def find(self, kind: str, key: str) -> Record | None:
        async with self._database.looking() as conn:
            row = await (await conn.execute(_SQL["find_record"], self._of | {"kind": kind, "key": key})).fetchone()
        return Record(**row) if row else None
