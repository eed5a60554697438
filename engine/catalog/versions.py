"""Versions of workflows that this database has seen: listed, compared, drained, and whether what stands can go on."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from psycopg.types.json import Jsonb
from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.errors import NotFound, QueueFull, StageGone, SwitchedOff, VersionDrained
from contracts.event import Event
from engine.access.keys import Principal
from engine.audit import audit
from engine.catalog.catalog import Catalog
from engine.catalog.manifest import differences
from engine.catalog.workflow import Workflow
from engine.runs.pins import hold_new, in_use, in_use_by_all, parked_stages, release_held, unfinished_threads
from engine.store.database import Connection
from engine.store.sql import load_queries
from engine.store.standing import stages_of_threads

_SQL = load_queries(__file__)


@dataclass(frozen=True)
class Version:
    """One version and how many of a tenant's cases stand on it."""

    digest: str
    workflow: str
    first_seen_at: datetime
    loaded: bool
    """Whether this process has it."""
    drained_by: str | None
    active: int
    parked: int
    held: int
    """Runs that no worker takes until they are moved or a worker with this version comes."""


@dataclass(frozen=True)
class Difference:
    """One value in which two versions differ; None where it is missing."""

    part: str
    before: JsonValue
    after: JsonValue


async def register_versions(conn: Connection, catalog: Catalog) -> None:
    """Keep the manifest of each loaded version, so that a run's pin can be explained later."""
    for workflow in catalog.values():
        row = {"digest": workflow.version, "workflow": workflow.name, "manifest": Jsonb(workflow.manifest)}
        await conn.execute(_SQL["register"], row)


async def list_versions(conn: Connection, catalog: Catalog, *, tenant: str) -> list[Version]:
    """Every version seen, the newest first."""
    loaded, used = catalog.versions, await in_use(conn, tenant=tenant)
    rows = await (await conn.execute(_SQL["versions"], {"tenant": tenant})).fetchall()
    none = {"active": 0, "parked": 0, "held": 0}
    counts = [{name: used.get(row["digest"], none)[name] for name in none} for row in rows]
    return [Version(**row, loaded=row["digest"] in loaded, **count) for row, count in zip(rows, counts, strict=True)]


async def manifest_of(conn: Connection, digest: str) -> JsonObject:
    """What a version pins. Raises `NotFound`."""
    row = await (await conn.execute(_SQL["manifest"], {"digest": digest})).fetchone()
    if row is None:
        raise NotFound(f"There is no version {digest!r}.", hint="List them with: gatehouse versions list")
    manifest: JsonObject = row["manifest"]
    return manifest


async def compare(conn: Connection, before: str, after: str) -> list[Difference]:
    """The values in which two versions differ. Raises `NotFound`."""
    found = differences(await manifest_of(conn, before), await manifest_of(conn, after))
    return [Difference(*difference) for difference in found]


async def drain(conn: Connection, digest: str, principal: Principal, *, reason: str) -> None:
    """From now on no run of the principal's tenant starts under this version; what has begun goes on.

    Raises `NotFound`.
    """
    await manifest_of(conn, digest)
    params = {"digest": digest, "tenant": principal.tenant, "by": principal.name, "reason": reason}
    await hold_new(conn, digest, tenant=principal.tenant)
    if (await conn.execute(_SQL["drain"], params)).rowcount:
        await _record(conn, digest, principal, Event.VERSION_DRAINED, reason)


async def end_drain(conn: Connection, digest: str, principal: Principal, *, reason: str) -> None:
    """Runs may start under this version again. Raises `NotFound` unless it was drained."""
    if not (await conn.execute(_SQL["end_drain"], {"digest": digest, "tenant": principal.tenant})).rowcount:
        raise NotFound(f"The version {digest!r} is not drained.")
    await release_held(conn, digest, tenant=principal.tenant)
    await _record(conn, digest, principal, Event.VERSION_DRAIN_ENDED, reason)


async def require_not_stopped(conn: Connection, workflow: Workflow, *, tenant: str, queue: str = "") -> None:
    """Raises `SwitchedOff`, `VersionDrained` or, for a paused queue, `QueueFull` when no new run may start."""
    params = {"digest": workflow.version, "tenant": tenant, "queue": queue, "workflow": workflow.name}
    row = await (await conn.execute(_SQL["stopped"], params)).fetchone()
    if row and row["scope"]:
        raise SwitchedOff(
            f"The {row['scope']} {row['name']!r} was switched off by {row['by']!r}: {row['reason']}",
            hint="Two operators switch it on again: gatehouse switches on.",
            facts={"scope": row["scope"], "name": row["name"]},
        )
    if row and row["queue"]:
        raise QueueFull(
            f"{row['by']!r} has paused the queue {queue!r}: {row['reason']}",
            hint="Try again after the seconds that the header Retry-After names. Answers and decisions are taken.",
            facts={"queue": queue, "cause": "pause"},
        )
    if row:
        raise VersionDrained(
            f"{row['by']!r} drained version {workflow.version} of {workflow.name!r}: {row['reason']}",
            hint="Call a server that has the newer version, or end the drain: gatehouse versions drain --end.",
            facts={"version": workflow.version},
        )


async def require_standing_stages(conn: Connection, catalog: Catalog) -> None:
    """Raises `StageGone`, naming each, when cases stand at stages that no loaded graph has: they would end in silence.

    Those that wait for somebody, those that were stopped before or after a stage, and those under way.
    """
    standing = Counter({(row["workflow"], row["stage"]): row["waiting"] for row in await parked_stages(conn)})
    threads = {str(row["thread_id"]): row["workflow"] for row in await unfinished_threads(conn)}
    for thread_id, stages in (await stages_of_threads(conn, threads)).items():
        standing.update((threads[thread_id], stage) for stage in stages)
    gone = {place: n for place, n in standing.items() if not _has(catalog, *place)}
    if gone:
        listed = "; ".join(f"{n} of {workflow!r} at {stage!r}" for (workflow, stage), n in sorted(gone.items()))
        raise StageGone(
            f"Cases stand at stages that the loaded workflows do not have: {listed}.",
            hint="Deploy the version that has them, or bring the stages back under their old names; cases that nobody "
            "needs can be cancelled there.",
            facts={"stages": [{"workflow": w, "stage": s, "cases": n} for (w, s), n in sorted(gone.items())]},
        )


async def left_behind(conn: Connection, catalog: Catalog) -> list[str]:
    """A sentence for each version that is not loaded and on which cases stand: no worker of this version takes them."""
    rows = [row for row in await in_use_by_all(conn) if row["version"] not in catalog.versions]
    return [
        f"{row['cases']} case(s) of {row['workflow']!r} are pinned to version {row['version']}, which is not loaded. "
        "See: gatehouse versions list"
        for row in rows
    ]


def _has(catalog: Catalog, workflow: str, stage: str) -> bool:
    return workflow in list(catalog) and stage in catalog[workflow].stages


async def _record(conn: Connection, digest: str, principal: Principal, event: Event, reason: str) -> None:
    data: JsonObject = {"version": digest, "tenant": principal.tenant, "reason": reason}
    await audit.append_to(conn, f"version:{digest}", principal.name, event, data)
