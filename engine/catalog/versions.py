"""Versions of workflows that this database has seen, and whether what is parked can go on."""

from psycopg.types.json import Jsonb

from contracts.errors import StageGone
from engine.approvals.requests import parked_stages
from engine.catalog.catalog import Catalog
from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)


async def register_versions(conn: Connection, catalog: Catalog) -> None:
    """Keep the manifest of each loaded version, so that a run's pin can be explained later."""
    for workflow in catalog.values():
        row = {"digest": workflow.version, "workflow": workflow.name, "manifest": Jsonb(workflow.manifest)}
        await conn.execute(_SQL["register"], row)


async def require_parked_stages(conn: Connection, catalog: Catalog) -> None:
    """Raises `StageGone` when something waits at a stage that no loaded graph has: it would end in silence."""
    for row in await parked_stages(conn):
        workflow = catalog.get(row["workflow"]) if row["workflow"] in list(catalog) else None
        if workflow is None or row["stage"] not in workflow.stages:
            raise StageGone(
                f"{row['waiting']} case(s) of {row['workflow']!r} wait at the stage {row['stage']!r}, "
                "which the loaded workflows do not have.",
                hint="Deploy the version that has it, or bring the stage back under its old name.",
            )
