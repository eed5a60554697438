"""How many requests one caller, and one tenant, may send in a minute to all servers together."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil

from contracts.approval import JsonObject
from contracts.errors import TooManyRequests
from contracts.event import Event
from engine.access.keys import Principal
from engine.audit import audit
from engine.limits.rates import Rate, take
from engine.store.database import Database
from engine.traces.metrics import REQUESTS_LIMITED

_TELL_EVERY_S = 60.0


@dataclass
class _Refused:
    """Requests of one caller that were refused and are not recorded yet."""

    told_at: float = -_TELL_EVERY_S
    since: str = ""
    requests: int = 0


@dataclass(frozen=True)
class Callers:
    """Judges each request once it is known who sends it."""

    database: Database
    per_caller: int
    """In a minute; 0: any number."""
    per_tenant: int
    _refused: dict[str, _Refused] = field(default_factory=dict)

    async def require_share(self, caller: Principal) -> None:
        """Raises `TooManyRequests` with the seconds after which to come again."""
        for rate in self._rates(caller):
            async with self.database.reading() as conn:
                wait_s = await take(conn, rate)
            if wait_s > 0:
                await self._note(caller)
                raise TooManyRequests(
                    f"{rate.per_minute} requests in a minute are the share of {rate.name!r}.",
                    hint="Wait as long as Retry-After says.",
                    facts={"retry_after_s": max(1, ceil(wait_s))},
                )

    def _rates(self, caller: Principal) -> list[Rate]:
        wanted = (
            Rate(f"caller:{caller.name}", self.per_caller, caller.tenant),
            Rate("requests", self.per_tenant, caller.tenant),
        )
        return [rate for rate in wanted if rate.per_minute]

    async def _note(self, caller: Principal) -> None:
        """The first is recorded at once, those that follow in sums: nobody fills the trail by being refused."""
        REQUESTS_LIMITED.inc()
        refused = self._refused.setdefault(f"{caller.tenant}:{caller.name}", _Refused())
        refused.requests += 1
        refused.since = refused.since or datetime.now(UTC).isoformat(timespec="seconds")
        if time.monotonic() - refused.told_at < _TELL_EVERY_S:
            return
        said: JsonObject = {"caller": caller.name, "tenant": caller.tenant}
        said |= {"requests": refused.requests, "since": refused.since}
        refused.told_at, refused.since, refused.requests = time.monotonic(), "", 0
        async with self.database.transaction() as conn:
            await audit.append_to(conn, "access", "system", Event.REQUESTS_LIMITED, said)
