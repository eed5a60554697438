"""What the catalog of Postgres says of tables and roles, and a tenant with a row in each table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from engine.store.scope import APP_ROLE

_ROWS = Path(__file__).with_name("victim.sql")
VICTIM, THIEF = "victim", "thief"
MARK = "secret-of-the-victim"

SHARED = {
    "schema_migration": "which migrations were applied",
    "schema_library": "which versions of libraries were set up",
    "audit_checkpoint": "signed roots over the chains of all, which name none",
    "workflow_version": "which versions of workflows were loaded; they are the installation's",
    "checkpoint_migrations": "which migrations LangGraph applied",
    "store_migrations": "which migrations LangGraph applied",
    "procrastinate_jobs": "wake-ups: ids of runs, for workers who carry everybody's",
    "procrastinate_events": "when a wake-up was taken",
    "procrastinate_periodic_defers": "nothing: we have no periodic tasks",
    "procrastinate_workers": "which workers are alive",
}
"""Tables that hold nothing of any tenant, and what they hold."""

BY_ANOTHER = {
    "audit_leaf": "shown with the head of the chain that it names",
    "audit_salt": "shown with the head of the chain whose records were sealed with it",
}
"""Tables whose rows are a tenant's by another table's row."""

TABLES = """
    SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS bound,
           (SELECT array_agg(pg_get_expr(polqual, polrelid)) FROM pg_policy WHERE polrelid = c.oid AND polcmd = '*'
            AND polpermissive AND polwithcheck IS NULL) AS policies,
           (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) AS n
    FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND s.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    ORDER BY 1
"""


@dataclass(frozen=True)
class Catalog:
    """A connection of the owner, who sees everything."""

    dsn: str

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        with psycopg.connect(self.dsn, row_factory=dict_row, autocommit=True) as conn:
            cursor = conn.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def tables(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self.rows(TABLES)}

    def owned(self) -> list[str]:
        """Tables whose rows are a tenant's."""
        return [name for name in self.tables() if name not in SHARED and name not in BY_ANOTHER]

    def as_tenant(self, tenant: str) -> psycopg.Connection[dict[str, Any]]:
        """A connection with the application's rights that works for a tenant."""
        conn = psycopg.connect(
            self.dsn, row_factory=dict_row, autocommit=True, options=f"-c role={APP_ROLE} -c gatehouse.tenant={tenant}"
        )
        return conn


_THREAD, _RUN, _ID = ("11111111-1111-4111-8111-11111111111" + n for n in "123")

IDS = {
    "id": _ID, "thread_id": _THREAD, "run_id": _RUN, "case_id": _RUN, "request_id": _ID, "approval_id": _ID,
    "assistant_id": _ID, "stream": f"case:{_THREAD}", "old": _THREAD, "call_key": MARK, "tenant": VICTIM,
    "name": MARK, "queue": MARK, "workflow": MARK, "key": MARK, "digest": _ID,
}  # fmt: skip
"""What a thief who knows everything would ask for."""


def fill(dsn: str) -> None:
    """Give the victim a row in every table that holds tenants' rows; a new table wants one here."""
    with psycopg.connect(dsn) as conn:
        conn.execute(_ROWS.read_bytes(), prepare=False)
