"""The page of the database schema, read from a database that the migrations built."""

from collections.abc import Iterator

import psycopg
from psycopg.rows import TupleRow

from docs.markdown import page, table

_THEIRS = {"checkpoint": "LangGraph", "procrastinate_": "procrastinate"}
_COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           CASE WHEN a.attidentity <> '' THEN 'identity' ELSE coalesce(pg_get_expr(d.adbin, d.adrelid), '') END
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_CONSTRAINTS = """
    SELECT pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = %s::regclass AND contype <> 'n' ORDER BY contype, conname
"""
_INDEXES = """
    SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i
    WHERE i.indrelid = %s::regclass AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
    ORDER BY 1
"""
_TRIGGERS = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal ORDER BY 1"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_FUNCTIONS = """
    SELECT p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid) FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace ORDER BY p.proname
"""


def schema_page(dsn: str) -> str:
    """Tables, constraints, indexes, triggers and functions of ours; those of libraries are only counted."""
    with psycopg.connect(dsn) as conn:
        names = [row[0] for row in conn.execute(_TABLES)]
        parts = [part for name in names if not _owner(name) for part in _table_parts(conn, name)]
        functions = [row for row in conn.execute(_FUNCTIONS) if not _owner(row[0])]
    lead = (
        "What `engine/store/migrations/` builds, read back from Postgres. Beside these tables the database holds those"
        f" of {' and '.join(_THEIRS.values())}, which the libraries bring themselves."
    )
    listed = [(f"`{name}({arguments})`", f"`{result}`") for name, arguments, result in functions]
    return page("Database schema", lead, *parts, "## Functions", table(("function", "returns"), listed))


def _owner(name: str) -> str:
    """Whose object it is, by its prefix; ours have none."""
    return next((owner for prefix, owner in _THEIRS.items() if name.startswith(prefix)), "")


def _table_parts(conn: psycopg.Connection[TupleRow], name: str) -> Iterator[str]:
    yield f"## {name}"
    columns = [
        (f"`{column}`", f"`{kind}`", "" if required else "yes", f"`{default}`" if default else "")
        for column, kind, required, default in conn.execute(_COLUMNS, [name])
    ]
    yield table(("column", "type", "may be null", "default"), columns)
    rules = [row[0] for query in (_CONSTRAINTS, _INDEXES, _TRIGGERS) for row in conn.execute(query, [name])]
    if rules:
        yield "\n".join(f"- `{' '.join(rule.split())}`" for rule in rules)
