"""What the configuration says, as the rooms take it: what there is to run, which models answer, what is limited."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
from pydantic import JsonValue

from contracts.errors import ConfigurationError
from engine.catalog.catalog import Catalog, load_catalog
from engine.catalog.lock import require_locked
from engine.limits.alarms import AlarmTerms
from engine.limits.breakers import Terms
from engine.limits.terms import LimitTerms
from engine.models.prices import listed_price
from engine.models.recording import RecordingFile, Recordings, read_recordings
from engine.models.route import Price, Route
from engine.models.routing import Alias, Experiment, Shadow
from engine.models.settings import ModelSettings
from engine.models.sources import ModelSources
from engine.opening import find_lock, find_registry
from engine.settings import Settings


def routes_of(settings: Settings) -> dict[str, Alias]:
    """Which models answer for which alias, in their order; `*` stands for all other aliases.

    Raises `ConfigurationError` for an experiment or a shadow of an alias that has no route.
    """
    tried, beside, models = settings.model_experiments, settings.model_shadows, settings.all_models()
    if lost := sorted((set(tried) | set(beside)) - set(models)):
        raise ConfigurationError(
            f"GATEHOUSE_MODEL_EXPERIMENTS or _SHADOWS name the alias {lost[0]!r}, which has no route of its own.",
            hint="Name it in GATEHOUSE_MODELS, too.",
        )
    return {
        alias: Alias(
            tuple(map(_route, routes)),
            Experiment(tried[alias].name, tried[alias].share, _route(tried[alias].route)) if alias in tried else None,
            Shadow(_route(beside[alias].route), beside[alias].per_day) if alias in beside else None,
        )
        for alias, routes in models.items()
    }


@asynccontextmanager
async def models_of(
    settings: Settings, recordings: Recordings | None, http: httpx.AsyncClient, terms: LimitTerms
) -> AsyncIterator[ModelSources]:
    """What answers in this process; by default with the recordings that are configured. Raises `ConfigurationError`."""
    sources = ModelSources(
        routes_of(settings),
        Recordings(read_recordings(settings.recordings)) if recordings is None else recordings,
        settings.stand_ins,
        http,
        terms,
        regions=settings.regions,
        deadline_s=settings.model_deadline_s,
        records_to=RecordingFile(settings.record_to) if settings.record_to else None,
    )
    try:
        yield sources
    finally:
        await sources.beside.close()


def public_routes(settings: Settings) -> dict[str, JsonValue]:
    """The same as far as it may be shown, and decides what a run does."""
    return {alias: routed.public() for alias, routed in routes_of(settings).items()}


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
    of_models = replace(breaker, failures=settings.model_breaker_failures)
    alarms = AlarmTerms(settings.alarm_refusals, settings.alarm_quarantine)
    return LimitTerms(settings.tenant_calls_per_minute, settings.system_calls_per_minute, breaker, of_models, alarms)


def _route(model: ModelSettings) -> Route:
    return Route(
        model=model.model,
        api_key=model.api_key,
        base_url=model.base_url,
        temperature=model.temperature,
        timeout_s=model.timeout_s,
        price=_price(model),
        name=model.label,
        region=model.region,
        residency=tuple(model.residency),
        api=model.api,
        parameters=model.parameters,
        max_concurrent=model.max_concurrent,
        stream=model.stream,
    )


def _price(model: ModelSettings) -> Price | None:
    if model.currency:
        return Price(model.currency, model.read_price, model.written_price)
    return listed_price(model.model, model.base_url)
