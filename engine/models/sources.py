"""What may answer a model's call in this process: routes, recordings, rules that stand in."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from engine.limits.admission import CONTROLS
from engine.limits.terms import LimitTerms
from engine.models.beside import Beside
from engine.models.recording import Recordings
from engine.models.route import Route
from engine.models.routing import Alias, Routing


class Slots:
    """How many calls of a route are under way in this process."""

    def __init__(self) -> None:
        self._by_route: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def held(self, alias: str, route: Route) -> AsyncIterator[None]:
        """Waits until one more call may be made."""
        if not route.max_concurrent:
            yield
            return
        name = f"{alias}/{route.label}"
        slot = self._by_route.setdefault(name, asyncio.Semaphore(route.max_concurrent))
        async with slot:
            yield


@dataclass(frozen=True)
class ModelSources:
    """What may answer: configured routes by alias (`*` for all others), recordings, and whether rules may stand in."""

    routes: Mapping[str, Alias]
    recordings: Recordings
    stand_ins: bool
    http: httpx.AsyncClient
    limits: LimitTerms = field(default_factory=LimitTerms)
    controls: tuple[str, ...] = CONTROLS
    """Which limits count; tests leave some out."""
    regions: Mapping[str, str] = field(default_factory=dict)
    """Where tenants' data stays, by tenant; `*` for all others."""
    deadline_s: float = 120.0
    records_to: Recordings | None = None
    """Where what live models say is kept, too."""
    slots: Slots = field(default_factory=Slots)
    beside: Beside = field(default_factory=Beside)

    @property
    def routing(self) -> Routing:
        return Routing(self.routes, self.regions)
