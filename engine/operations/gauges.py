"""Metrics that are looked up when somebody asks: how much work stands in the database, how full the pool is."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from psycopg.rows import DictRow

from contracts.errors import StoreUnavailable
from engine.approvals.backlog import approval_backlog
from engine.gateway.backlog import effect_backlog
from engine.queues.model import ReviewQueue
from engine.queues.report import queue_backlog
from engine.runs.backlog import run_backlog
from engine.store.database import Database
from engine.store.scope import across_tenants

_TIME_S = 3.0
"""A scrape waits no longer for the database; Prometheus itself gives up after ten seconds."""

Family = GaugeMetricFamily


class _Found(Collector):
    """Families that were looked up before, for a registry of one scrape."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Family]:
        yield from self._families


async def exposition(database: Database, queues: Mapping[str, ReviewQueue]) -> bytes:
    """Everything in Prometheus' text format: what this process counted, its pool, and what stands in the database.

    Says `gatehouse_database_up 0` and leaves the database's gauges out when it does not answer within three seconds.
    """
    found = CollectorRegistry()
    found.register(_Found([*_pool(database), *await _stored(database, queues)]))
    return generate_latest(REGISTRY) + generate_latest(found)


async def _stored(database: Database, queues: Mapping[str, ReviewQueue]) -> list[Family]:
    up = Family("gatehouse_database_up", "Whether the database answered this scrape.")
    try:
        with across_tenants("figures of the whole installation"):
            async with asyncio.timeout(_TIME_S), database.transaction() as conn:
                runs, approvals = await run_backlog(conn), await approval_backlog(conn)
                effects, load = await effect_backlog(conn), await queue_backlog(conn, queues)
    except (TimeoutError, StoreUnavailable):
        up.add_metric((), 0)
        return [up]
    up.add_metric((), 1)
    return [up, *_runs(runs), *_approvals(approvals), *_effects(effects), *_queues(load)]


def _runs(rows: Sequence[DictRow]) -> Iterator[Family]:
    labels = ("workflow", "standing")
    yield _family("gatehouse_runs_unfinished", "Unfinished runs, by what they wait for.", rows, labels, "runs")
    yield _family("gatehouse_runs_oldest_seconds", "How long the oldest has stood so.", rows, labels, "oldest_s")


def _approvals(rows: Sequence[DictRow]) -> Iterator[Family]:
    labels = ("queue",)
    yield _family("gatehouse_approvals_open", "Requests and questions that wait for people.", rows, labels, "open")
    yield _family("gatehouse_approvals_overdue", "Those whose target time has passed.", rows, labels, "overdue")
    yield _family("gatehouse_approvals_oldest_seconds", "How long the oldest has waited.", rows, labels, "oldest_s")


def _queues(rows: Sequence[DictRow]) -> Iterator[Family]:
    labels = ("queue",)
    most = "of the tenant that has most"
    yield _family("gatehouse_queue_depth", f"Cases that wait or are on their way, {most}.", rows, labels, "depth")
    yield _family("gatehouse_queue_capacity", "How many a tenant may have there.", rows, labels, "capacity")
    yield _family(
        "gatehouse_queue_oldest_seconds", f"Review time of the oldest request, {most}.", rows, labels, "oldest_s"
    )
    yield _family("gatehouse_queue_throttled", "Tenants from whom it takes no new case now.", rows, labels, "throttled")
    month = "in the last 30 days"
    throttled = f"How long it took no new case {month}, over all tenants."
    yield _family("gatehouse_queue_throttled_seconds", throttled, rows, labels, "throttled_s")
    yield _family("gatehouse_queue_refused", f"Runs that it refused {month}.", rows, labels, "refused")


def _effects(rows: Sequence[DictRow]) -> Iterator[Family]:
    labels = ("tool", "state")
    yield _family("gatehouse_effects_unsettled", "Effects under way or of unknown outcome.", rows, labels, "effects")
    yield _family("gatehouse_effects_oldest_seconds", "How long ago the oldest was sent.", rows, labels, "oldest_s")


def _pool(database: Database) -> Iterator[Family]:
    """psycopg leaves figures that are still zero out of its statistics."""
    stats = database.pool.get_stats()
    size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
    states = {"in_use": size - idle, "idle": idle, "limit": stats.get("pool_max", 0)}
    rows = [{"state": state, "connections": n} for state, n in states.items()]
    name = "gatehouse_database_pool_connections"
    yield _family(name, "Connections of this process.", rows, ("state",), "connections")
    waiting = Family("gatehouse_database_pool_waiting", "Tasks that wait for a connection now.")
    waiting.add_metric((), stats.get("requests_waiting", 0))
    yield waiting


def _family(name: str, meaning: str, rows: Sequence[DictRow], labels: Sequence[str], value: str) -> Family:
    family = Family(name, meaning, labels=labels)
    for row in rows:
        family.add_metric([row[label] for label in labels], row[value])
    return family
