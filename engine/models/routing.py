"""Which routes may answer for an alias, and in which order: where data may go comes before anything else."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.errors import ResidencyRefused
from engine.models.route import Route


@dataclass(frozen=True)
class Experiment:
    """Another route that a share of the runs asks first: which of them is the same whoever works it out."""

    name: str
    share: float
    route: Route

    def has(self, run_id: str) -> bool:
        """Whether this run is among those that ask the other route."""
        drawn = int.from_bytes(hashlib.sha256(f"{run_id}:{self.name}".encode()).digest()[:8]) / 2**64
        return drawn < self.share


@dataclass(frozen=True)
class Shadow:
    """A second model that is asked beside the first, so many times a day at most."""

    route: Route
    per_day: int


@dataclass(frozen=True)
class Alias:
    """What is configured for one alias: routes in the order in which they are taken."""

    routes: tuple[Route, ...]
    experiment: Experiment | None = None
    shadow: Shadow | None = None

    def public(self) -> JsonValue:
        """What is part of a version. A single route stands there as it did when there was only ever one.

        A shadow decides nothing that a run does, and is no part of it.
        """
        shown: list[JsonValue] = [route.public() for route in self.routes]
        if tried := self.experiment:
            other: JsonObject = {"name": tried.name, "share": tried.share, "route": tried.route.public()}
            return {"routes": shown, "experiment": other}
        return shown[0] if len(shown) == 1 else shown


@dataclass(frozen=True)
class Border:
    """Where a case's data may go. An empty member allows everything."""

    region: str = ""
    """Of its tenant."""
    data_class: str = ""
    """Of its workflow."""

    def against(self, route: Route) -> str:
        """Why the data must not go to `route`; empty: it may."""
        if self.region and self.region not in (route.region, *route.residency):
            return f"it is in {route.region or 'no region that is named'}, and the tenant's data stays in {self.region}"
        if self.data_class and self.data_class not in route.residency:
            return f"it has no residency tag {self.data_class!r}, the workflow's class of data"
        return ""

    def lets(self, tags: Collection[str]) -> bool:
        """Whether the data may go to a place with these tags."""
        return all(tag in tags for tag in (self.region, self.data_class) if tag)


@dataclass(frozen=True)
class Choice:
    """Who is asked: routes in order, in which half of an experiment the run is, and who is asked beside."""

    routes: tuple[Route, ...]
    half: JsonObject
    shadow: Shadow | None = None


@dataclass(frozen=True)
class Routing:
    """Every alias that is configured, `*` for all others, and the regions of tenants, `*` likewise."""

    aliases: Mapping[str, Alias]
    regions: Mapping[str, str]

    def border(self, tenant: str, data_class: str) -> Border:
        return Border(self.regions.get(tenant, self.regions.get("*", "")), data_class)

    def of(self, alias: str) -> Alias | None:
        return self.aliases.get(alias) or self.aliases.get("*")

    def choose(self, alias: str, border: Border, run_id: str) -> Choice:
        """Who is asked for a run, in order. Raises as `allowed` does; whatever is outside the border takes no part."""
        within, found = self.allowed(alias, border), self.of(alias)
        tried, beside = (found.experiment, found.shadow) if found else (None, None)
        shadow = beside if beside and not border.against(beside.route) else None
        if tried is None or border.against(tried.route):
            return Choice(within, {}, shadow)
        other = tried.has(run_id)
        half: JsonObject = {"experiment": tried.name, "arm": "b" if other else "a"}
        return Choice((tried.route, *within) if other else within, half, shadow)

    def allowed(self, alias: str, border: Border) -> tuple[Route, ...]:
        """Routes within the border, in their order; none where no model is configured for the alias at all.

        Raises `ResidencyRefused` where there are routes and not one of them is within it.
        """
        found = self.of(alias)
        if found is None:
            return ()
        within = tuple(route for route in found.routes if not border.against(route))
        if not within:
            reasons = "; ".join(f"{name!r}: {why}" for name, why in reasons_against(found.routes, border))
            raise ResidencyRefused(
                f"No route of the alias {alias!r} may see this case's data, so no model was asked. {reasons}.",
                hint="Configure a route in that region with that tag in GATEHOUSE_MODELS.",
            )
        return within


def reasons_against(routes: Iterable[Route], border: Border) -> list[tuple[str, str]]:
    """Routes that the border keeps the data from, and why."""
    return [(route.label, why) for route in routes if (why := border.against(route))]
