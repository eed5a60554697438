"""Which models an eval asks in earnest, where they are, and what asking them took."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError
from engine.catalog.workflow import Workflow
from engine.configured import routes_of
from engine.models.recording import Recordings
from engine.models.routing import Alias
from engine.settings import Settings

LEAST_TURNS = 5
_PUBLIC = "https://api.openai.com/v1"
"""Where the provider's library goes without an address of one's own."""
_PORTS = {"https": 443, "http": 80}

Place = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True)
class Live:
    """Routes by alias, `*` for all others; prompts of every other alias are answered from recordings."""

    routes: Mapping[str, Alias] = field(default_factory=dict)

    @property
    def places(self) -> frozenset[Place]:
        """The only places that may be connected to beside the database."""
        return frozenset(_place(route.base_url or _PUBLIC) for alias in self.routes.values() for route in alias.routes)

    @property
    def said(self) -> str:
        """Alias and routes, by which results of other models are told apart; empty where nobody is asked."""
        named = [f"{name}: {', '.join(r.label for r in alias.routes)}" for name, alias in sorted(self.routes.items())]
        return "; ".join(named)

    def asks(self, workflow: Workflow, prompt: str) -> bool:
        """Whether a model is asked for a prompt."""
        return "*" in self.routes or (prompt in workflow.prompts and workflow.prompts[prompt].alias in self.routes)


@dataclass(frozen=True)
class Voice:
    """Who answers the models' calls of one play: recordings, and live models with what they say kept in `kept`."""

    live: Live = field(default_factory=Live)
    kept: Recordings | None = None
    beyond: Live = field(default_factory=Live)
    """Who is asked where nothing is recorded, and only there."""


SILENCE = Voice()
"""Recordings alone."""


@dataclass(frozen=True)
class Spent:
    """What asking took."""

    calls: int = 0
    read: int = 0
    written: int = 0
    ms: float = 0.0
    cost: Mapping[str, int] = field(default_factory=dict)
    """Millionths of a unit, by currency; calls of which nobody knows the price are not in it."""

    @classmethod
    def of(cls, calls: Iterable[JsonObject]) -> "Spent":
        """Of the data of `model.called` records."""
        live = [call for call in calls if call.get("source") == "live"]
        cost: dict[str, int] = {}
        for call in live:
            if "currency" in call:
                currency = str(call["currency"])
                cost[currency] = cost.get(currency, 0) + int(str(call["cost"]))
        read, written, ms = (sum(float(str(call.get(n) or 0)) for call in live) for n in _TOLD)
        return cls(len(live), round(read), round(written), ms, cost)

    @classmethod
    def sum(cls, several: Sequence["Spent"]) -> "Spent":
        cost: dict[str, int] = {}
        for one in several:
            for currency, value in one.cost.items():
                cost[currency] = cost.get(currency, 0) + value
        calls, read, written = (sum(getattr(one, name) for one in several) for name in ("calls", "read", "written"))
        return cls(calls, read, written, sum(one.ms for one in several), cost)

    def as_json(self) -> JsonObject:
        cost: JsonObject = {currency: value / 1e6 for currency, value in self.cost.items()}
        return {"calls": self.calls, "read": self.read, "written": self.written, "ms": round(self.ms), "cost": cost}


_TOLD = ("tokens_read", "tokens_written", "latency_ms")


def live_models(settings: Settings, aliases: Sequence[str], workflows: Iterable[Workflow]) -> Live:
    """The configured routes of these aliases, without experiments and shadows: an eval compares like with like.

    Raises `ConfigurationError` for an alias that no prompt has, and for one without a route.
    """
    known = {prompt.alias for workflow in workflows for prompt in workflow.prompts.values()}
    configured = routes_of(settings)
    for alias in aliases:
        if alias not in known:
            raise ConfigurationError(
                f"No prompt of these workflows asks the alias {alias!r}.", hint=f"They ask: {', '.join(sorted(known))}."
            )
    return Live({alias: Alias(asked_for(alias, configured).routes) for alias in aliases})


def asked_for(alias: str, configured: Mapping[str, Alias]) -> Alias:
    """What is configured for an alias. Raises `ConfigurationError` where nothing is."""
    found = configured.get(alias) or configured.get("*")
    if found is None:
        raise ConfigurationError(
            f"No model is configured for the alias {alias!r}, so there is nobody to ask.",
            hint="Name a route in GATEHOUSE_MODELS, or set GATEHOUSE_MODEL.",
        )
    return found


def _place(address: str) -> Place:
    parts = urlsplit(address)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
