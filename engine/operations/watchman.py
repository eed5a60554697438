"""Looks whether workflows fail too often or cost too much, and raises alarms: any number of workers may look."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from psycopg.rows import DictRow

from engine.limits.alarms import Alarm, sound
from engine.measures.lately import dear_lately, failing_lately
from engine.measures.outcomes import in_units
from engine.store.database import Database
from engine.store.scope import across_tenants, of_tenant

_LEAST = 10
"""Of fewer cases a share says nothing."""


@dataclass(frozen=True)
class Watchman:
    """When alarms are raised."""

    database: Database
    error_rate: float
    """Share of failed cases in an hour; 0: never."""
    cost: Mapping[str, float]
    """In a day, by currency."""

    async def look(self) -> int:
        """Raise what is to be raised and was not within the last hour; how many alarms."""
        with across_tenants("workflows that fail or cost too much"):
            async with self.database.reading() as conn:
                failing = await failing_lately(conn) if self.error_rate else []
                dear = await dear_lately(conn) if self.cost else []
        raised = 0
        for tenant, alarm in (*self._failing(failing), *self._dear(dear)):
            with of_tenant(tenant):
                async with self.database.transaction() as conn:
                    raised += await sound(conn, alarm, tenant=tenant)
        return raised

    def _failing(self, rows: Iterable[DictRow]) -> Iterator[tuple[str, Alarm]]:
        for row in rows:
            ended, failed, workflow = row["ended"], row["failed"], row["workflow"]
            if ended >= _LEAST and failed / ended >= self.error_rate:
                summary = f"{workflow}: {failed} of {ended} cases failed in the last hour"
                yield row["tenant"], Alarm("errors", workflow, summary, {"ended": ended, "failed": failed})

    def _dear(self, rows: Iterable[DictRow]) -> Iterator[tuple[str, Alarm]]:
        for row in rows:
            cost, currency, workflow = in_units(row["cost"]), row["currency"], row["workflow"]
            limit = self.cost.get(currency)
            if limit is not None and cost > limit:
                summary = f"{workflow}: its models cost {cost:.2f} {currency} in a day, more than {limit:.2f}"
                yield row["tenant"], Alarm("cost", workflow, summary, {"cost": cost, "currency": currency})
