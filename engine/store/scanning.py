"""Everything that the database holds as text, whichever room keeps it: for whoever looks for what must not be there.

Sealed values are opened, so that what is inside is looked at, too.
"""

import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from psycopg import sql
from psycopg.rows import DictRow

from engine.store import vault
from engine.store.database import Connection
from engine.store.seal import SealedSerializer
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_BATCH = 500

Salt = tuple[str, bytes]
"""The chain for which something is sealed, and what it is sealed with."""


@dataclass(frozen=True)
class Stored:
    """One value: where it lies, and what it says."""

    table: str
    column: str
    row: str
    """The row's primary key, or where it lies on the disk."""
    text: str


async def everything_stored(
    conn: Connection, key: bytes | None, tenants: Mapping[str, str], salts: Mapping[bytes, Salt]
) -> AsyncIterator[Stored]:
    """Every text, JSON and byte value of every table; expects a transaction.

    `tenants` are those of threads, by id; `salts` open sealed payloads, by the ids that these begin with.
    Without the key that sealed the checkpoints they are passed over. Raises `SealBroken` for one sealed by another.
    """
    opens = {"blob": partial(_opened, key=key, tenants=tenants), "payload": partial(_unsealed, salts=salts)}
    columns = await (await conn.execute(_SQL["text_columns"])).fetchall()
    for (schema, table), found in groupby(columns, key=lambda row: (row["schema"], row["table"])):
        listed = list(found)
        wanted = dict.fromkeys((*(row["column"] for row in listed), *listed[0]["primary_key"]))
        query = sql.SQL("SELECT ctid::text AS _place, {} FROM {}").format(
            sql.SQL(", ").join(map(sql.Identifier, wanted)), sql.Identifier(schema, table)
        )
        async with conn.cursor(name="everything_stored") as cursor:
            await cursor.execute(query)
            while rows := await cursor.fetchmany(_BATCH):
                for row in rows:
                    for stored in _values(table, listed, row, opens):
                        yield stored


def _values(
    table: str, columns: list[DictRow], row: DictRow, opens: Mapping[str, Callable[[DictRow], bytes | None]]
) -> list[Stored]:
    place = ", ".join(f"{name}={row[name]}" for name in columns[0]["primary_key"]) or row["_place"]
    found = []
    for name in (column["column"] for column in columns):
        value = row[name]
        if name in opens and isinstance(value, bytes):
            value = opens[name](row)
        if value is not None:
            found.append(Stored(table, name, place, _text(value)))
    return found


def _unsealed(row: DictRow, *, salts: Mapping[bytes, Salt]) -> bytes | None:
    stream, salt = salts.get(vault.salt_id(row["payload"]), ("", b""))
    text = vault.unseal(stream, row["payload"], salt) if salt else None
    try:
        return zlib.decompress(text) if text else None
    except zlib.error:  # a payload of the audit trail: what belongs to one record is short and lies as it is
        return text


def _opened(row: DictRow, *, key: bytes | None, tenants: Mapping[str, str]) -> bytes | None:
    tenant = tenants.get(str(row["thread_id"]))
    if key is None or tenant is None or row["type"] is None:
        return None
    serde = SealedSerializer(key, tenant=tenant, thread_id=str(row["thread_id"]))
    return serde.unsealed((row["type"], row["blob"]))


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
