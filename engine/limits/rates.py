"""How often something may happen: at most so many in any minute, counted by all processes together (GCRA).

One row per limit and one moment in it, at which the limit would be free again; nothing is kept of single calls. The
generic cell rate algorithm is that of ITU-T I.371, with a burst of a sixth of the minute's number.
"""

from dataclasses import dataclass
from math import ceil

from engine.store.database import Connection
from engine.store.sql import load_queries

_SQL = load_queries(__file__)
_MINUTE_S = 60.0
_BURST_SHARE = 6
_SHORTEST_WAIT_S = 0.001


@dataclass(frozen=True)
class Rate:
    """At most `per_minute` in any 60 seconds."""

    name: str
    per_minute: int
    tenant: str

    @property
    def burst(self) -> int:
        """How many may come at once after a pause. With what follows in a minute they make the minute's number."""
        return max(1, ceil(self.per_minute / _BURST_SHARE)) if self.per_minute > 1 else 1

    @property
    def every_s(self) -> float:
        return _MINUTE_S / max(1, self.per_minute - self.burst)

    def wait_s(self, ahead_s: float) -> float:
        """How long to wait when so much is taken with this one; 0: not at all."""
        return max(0.0, ahead_s - self.burst * self.every_s)


async def take(conn: Connection, rate: Rate) -> float:
    """Take one place, by itself and at once: 0, or the seconds after which there is one, and then none was taken."""
    params = {"tenant": rate.tenant, "name": rate.name, "every_s": rate.every_s, "burst": rate.burst * rate.every_s}
    if await (await conn.execute(_SQL["take"], params)).fetchone():
        return 0.0
    row = await (await conn.execute(_SQL["ahead"], params)).fetchone()
    # A place that has come free between the two statements was not taken either.
    return max(_SHORTEST_WAIT_S, row["ahead_s"] + rate.every_s - rate.burst * rate.every_s if row else 0.0)
