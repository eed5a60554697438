"""Outside systems and models: configured where workflows need them, and reachable."""

import asyncio
from collections.abc import Iterable

import httpx

from contracts.errors import ConfigurationError
from engine.catalog.catalog import Catalog
from engine.credentials.references import reveal
from engine.models.settings import ModelSettings
from engine.operations.doctor.finding import Finding
from engine.settings import Settings

_TIME_S = 3.0
_REFUSED = (401, 403)


async def examine_outside(settings: Settings, catalog: Catalog | None) -> list[Finding]:
    """Each configured system and model, and those that workflows need and nobody configured."""
    models = settings.all_models()
    async with httpx.AsyncClient(timeout=_TIME_S) as client:
        systems = (_system(client, name, address) for name, address in sorted(settings.systems.items()))
        routes = (_model(client, alias, model) for alias, several in sorted(models.items()) for model in several)
        found = list(await asyncio.gather(*systems, *routes))
    if catalog is None:
        return found
    return [*found, *_missing_systems(settings, catalog), *_missing_models(settings, catalog)]


async def _system(client: httpx.AsyncClient, name: str, address: str) -> Finding:
    try:
        status = (await client.get(address)).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        says = f"{address} cannot be reached: {type(error).__name__}."
        return Finding(f"system {name}", "warn", says, "Its tools fail until it answers. Check GATEHOUSE_SYSTEMS.")
    return Finding(f"system {name}", "ok", f"{address} answers ({status}).")


async def _model(client: httpx.AsyncClient, alias: str, model: ModelSettings) -> Finding:
    """Asks for the list of models, which costs nothing."""
    check = "models" if alias == "*" else f"model {alias}"
    base = model.base_url or "https://api.openai.com/v1"
    try:
        headers = {"Authorization": f"Bearer {reveal(model.api_key)}"}
    except ConfigurationError as error:
        return Finding(check, "fail", error.detail, error.hint)
    try:
        status = (await client.get(f"{base.rstrip('/')}/models", headers=headers)).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        do = "Its stages fail until it answers. Check GATEHOUSE_MODEL_BASE_URL and the network."
        return Finding(check, "warn", f"{model.model} at {base} cannot be reached: {type(error).__name__}.", do)
    if status in _REFUSED:
        return Finding(check, "fail", f"{base} refuses the key ({status}).", "Check GATEHOUSE_MODEL_API_KEY.")
    return Finding(check, "ok", f"{model.model} at {base} answers ({status}).")


def _missing_systems(settings: Settings, catalog: Catalog) -> Iterable[Finding]:
    needed = {tool.system for workflow in catalog.values() for tool in workflow.policy.tools}
    if missing := sorted(needed - set(settings.systems)):
        do = "Set GATEHOUSE_SYSTEMS, or use --sandbox to try things out."
        yield Finding("systems", "warn", f"Without an address: {', '.join(missing)}; their tools fail.", do)


def _missing_models(settings: Settings, catalog: Catalog) -> Iterable[Finding]:
    aliases = {prompt.alias for workflow in catalog.values() for prompt in workflow.prompts.values()}
    configured = settings.all_models()
    missing = [] if "*" in configured else sorted(aliases - set(configured))
    if missing:
        instead = "recordings and labelled stand-ins answer" if settings.stand_ins else "only recordings answer"
        do = "Set GATEHOUSE_MODEL and GATEHOUSE_MODEL_API_KEY."
        yield Finding("models", "warn", f"No model for {', '.join(missing)}: {instead}.", do)
