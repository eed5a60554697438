"""What the configuration says, as the rooms take it: which models answer, and what the installation limits."""

from contracts.approval import JsonObject
from engine.limits.alarms import AlarmTerms
from engine.limits.breakers import Terms
from engine.limits.terms import LimitTerms
from engine.models.route import Price, Route
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


def terms_of(settings: Settings) -> LimitTerms:
    """What this installation limits."""
    breaker = Terms(settings.breaker_failures, settings.breaker_window_s, settings.breaker_open_s)
    alarms = AlarmTerms(settings.alarm_refusals, settings.alarm_quarantine)
    return LimitTerms(settings.tenant_calls_per_minute, settings.system_calls_per_minute, breaker, alarms)


def _price(model: ModelSettings) -> Price | None:
    return Price(model.currency, model.read_price, model.written_price) if model.currency else None
