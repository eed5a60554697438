"""What the configuration says, as the rooms take it: what there is to run, which models answer, what is limited."""

from contracts.approval import JsonObject
from engine.catalog.catalog import Catalog, load_catalog
from engine.catalog.lock import require_locked
from engine.limits.alarms import AlarmTerms
from engine.limits.breakers import Terms
from engine.limits.terms import LimitTerms
from engine.models.route import Price, Route
from engine.opening import find_lock, find_registry
from engine.settings import ModelSettings, Settings


def routes_of(settings: Settings) -> dict[str, Route]:
    """Which model answers for which alias; `*` stands for all others."""
    return {
        alias: Route(m.model, m.api_key, m.base_url, m.temperature, price=_price(m))
        for alias, m in settings.all_models().items()
    }


def public_routes(settings: Settings) -> dict[str, JsonObject]:
    """The same as far as it may be shown, and decides what a run does."""
    return {alias: route.public() for alias, route in routes_of(settings).items()}


def catalog_of(settings: Settings, *, locked: bool) -> Catalog:
    """What there is to run. Raises `ConfigurationError`; `ChangedSinceLocked` where it has to be what was `locked`."""
    routes, queues = public_routes(settings), settings.queue_overrides()
    catalog = load_catalog(find_registry(settings), routes=routes, queues=queues)
    if locked:
        require_locked(find_lock(settings), catalog.values())
    return catalog


def terms_of(settings: Settings) -> LimitTerms:
    """What this installation limits."""
    breaker = Terms(settings.breaker_failures, settings.breaker_window_s, settings.breaker_open_s)
    alarms = AlarmTerms(settings.alarm_refusals, settings.alarm_quarantine)
    return LimitTerms(settings.tenant_calls_per_minute, settings.system_calls_per_minute, breaker, alarms)


def _price(model: ModelSettings) -> Price | None:
    return Price(model.currency, model.read_price, model.written_price) if model.currency else None
