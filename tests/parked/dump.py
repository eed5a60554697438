"""Every row of a case as JSON, and back into a database of the schema that the rows were written under."""

import json
from pathlib import Path
from typing import Any

import psycopg
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import sql
from psycopg.rows import dict_row

from engine.store.migrate import migrate, migrations

Rows = dict[str, list[dict[str, Any]]]

_OF_THE_CASE = {
    "workflow_version": "digest IN (SELECT version FROM run WHERE thread_id::text = %(thread)s)",
    "thread": "id::text = %(thread)s",
    "run": "thread_id::text = %(thread)s",
    "run_event": "run_id IN (SELECT id FROM run WHERE thread_id::text = %(thread)s)",
    "approval": "thread_id::text = %(thread)s",
    "approval_vote": "request_id IN (SELECT id FROM approval WHERE thread_id::text = %(thread)s)",
    "question": "thread_id::text = %(thread)s",
    "effect": "thread_id::text = %(thread)s",
    "tool_record": "position(%(thread)s in value::text) > 0",
    "audit_record": "stream = 'case:' || %(thread)s",
    "audit_head": "stream = 'case:' || %(thread)s",
    "audit_salt": "stream = 'case:' || %(thread)s",
    "checkpoints": "thread_id = %(thread)s",
    "checkpoint_blobs": "thread_id = %(thread)s",
    "checkpoint_writes": "thread_id = %(thread)s",
}
"""Which rows belong to a case, in an order in which they can be inserted; dumps keep it."""


def dump(dsn: str, thread_id: str) -> dict[str, Any]:
    """The case's rows and the schema they were written under."""
    with psycopg.connect(dsn, row_factory=dict_row) as conn:
        rows: Rows = {}
        for table, where in _OF_THE_CASE.items():
            query = sql.SQL("SELECT to_jsonb(t) AS row FROM {} t WHERE " + where).format(sql.Identifier(table))  # type: ignore[arg-type]  # text of this file
            found = conn.execute(query, {"thread": thread_id}).fetchall()
            rows[table] = sorted((row["row"] for row in found), key=lambda row: json.dumps(row, sort_keys=True))
        ours = conn.execute("SELECT max(number) AS n FROM schema_migration").fetchone() or {}
        langgraph = conn.execute("SELECT max(v) AS n FROM checkpoint_migrations").fetchone() or {}
    return {"schema": ours["n"], "checkpoint_schema": langgraph["n"], "rows": rows}


async def load(dsn: str, dumped: dict[str, Any]) -> None:
    """Bring an empty database to the dump's schema, enter the rows, and bring it to the present one."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
        await _bring_to(conn, dumped["schema"], dumped["checkpoint_schema"])
        for table, rows in dumped["rows"].items():
            await _enter(conn, table, rows)
        # Whoever was asked then has as long again from now.
        await conn.execute("UPDATE approval SET expires_at = now() + interval '1 day' WHERE status = 'pending'")
        await conn.execute("SELECT setval(pg_get_serial_sequence('run', 'seq'), (SELECT max(seq) FROM run))")
    await migrate(dsn)


def read(file: Path) -> dict[str, Any]:
    dumped: dict[str, Any] = json.loads(file.read_text())
    return dumped


async def _bring_to(conn: psycopg.AsyncConnection[Any], schema: int, checkpoint_schema: int) -> None:
    await conn.execute(
        "CREATE TABLE schema_migration (number integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, "
        "applied_at timestamptz NOT NULL DEFAULT now())"
    )
    for migration in migrations()[:schema]:
        await conn.execute(migration.text.encode(), prepare=False)
        row = (migration.number, migration.name, migration.sha256)
        await conn.execute("INSERT INTO schema_migration (number, name, sha256) VALUES (%s, %s, %s)", row)
    for number, text in enumerate(AsyncPostgresSaver.MIGRATIONS[: checkpoint_schema + 1]):
        await conn.execute(text.encode(), prepare=False)
        await conn.execute("INSERT INTO checkpoint_migrations (v) VALUES (%s)", (number,))


async def _enter(conn: psycopg.AsyncConnection[Any], table: str, rows: list[dict[str, Any]]) -> None:
    """All at once: rows of a table may refer to each other. What later schemas add gets its default."""
    if not rows:
        return
    columns = sql.SQL(", ").join(map(sql.Identifier, rows[0]))
    query = sql.SQL(
        "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE "
        "SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)"
    ).format(table=sql.Identifier(table), columns=columns)
    await conn.execute(query, [json.dumps(rows)])
