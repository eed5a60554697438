"""The OpenAPI document: what every route may answer beside its success, as problems, and how callers are known."""

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from sse_starlette import EventSourceResponse

from api.door import who
from api.inbound import signed
from api.operations import may_scrape
from api.problems import MEDIA_TYPE
from contracts.errors import BudgetExceeded, GatehouseError

Json = dict[str, Any]

_TEXT = {"type": "string"}
_PROBLEM: Json = {
    "title": "Problem",
    "description": "RFC 9457. `detail` says what happened, `hint` what to do; some codes add members of their own.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "category", "hint"],
    "properties": {name: _TEXT for name in ("type", "title", "detail", "code", "category", "hint")}
    | {"status": {"type": "integer"}},
}
_KEYS: Json = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "Bearer": {"type": "http", "scheme": "bearer"},
}
_EVENT: Json = {
    "title": "Event",
    "description": "One server-sent event; `data` is JSON text.",
    "type": "object",
    "required": ["event", "data"],
    "properties": {name: _TEXT for name in ("event", "data", "id")},
}
_STREAMS: dict[type, Json] = {
    EventSourceResponse: {"text/event-stream": {"schema": {"$ref": "#/components/schemas/Event"}}},
    StreamingResponse: {"application/json": {"schema": {"description": "The run's result."}}},
}
_ONLY_IN_RUNS = (BudgetExceeded,)
"""Errors that end a run and answer no request."""


def describe(app: FastAPI, routers: Sequence[APIRouter]) -> Callable[[], Json]:
    """FastAPI's own document of `app` and its `routers`, completed; made once, when it is first asked for."""
    made = app.openapi
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]

    def document() -> Json:
        if app.openapi_schema is None:
            _complete(made(), [route for route in routes if route.include_in_schema])
        return app.openapi_schema or {}

    return document


def _complete(document: Json, routes: Sequence[APIRoute]) -> None:
    components = document.setdefault("components", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        components.setdefault("schemas", {}).pop(unused, None)
    components["schemas"] |= {"Problem": _PROBLEM, "Event": _EVENT}
    components["securitySchemes"] = _KEYS
    codes = _codes()
    for route in routes:
        for method in route.methods or ():
            _complete_operation(route, document["paths"][route.path_format][method.lower()], codes)


def _complete_operation(route: APIRoute, operation: Json, codes: dict[int, list[str]]) -> None:
    # What a route is for stands in the first sentences of its docstring; FastAPI would show the function's name.
    first, _, rest = operation.pop("description", operation["summary"]).partition("\n\n")
    operation["summary"] = " ".join(first.split())
    if rest:
        operation["description"] = rest
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
    answers = operation["responses"]
    for status in _statuses(route, operation):
        said = {"description": ", ".join(f"`{code}`" for code in codes[status])}
        answers[str(status)] = said | {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    streamed = _STREAMS.get(inspect.signature(route.endpoint).return_annotation)
    if streamed:
        answers["200"]["content"] = streamed
    if _asks(route.dependant, who):
        operation["security"] = [{name: []} for name in _KEYS]


def _without_null(schema: Json) -> Json:
    """What a parameter of a path, a query or a header may be: text, which has no null, whatever its default is here."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if not kinds:
        return schema
    said = {name: member for name, member in schema.items() if name != "anyOf"}
    return said | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def _statuses(route: APIRoute, operation: Json) -> Iterator[int]:
    """The problems that a route may answer, by what it reads and whom it lets in."""
    yield 503
    if _asks(route.dependant, who, may_scrape, signed):
        yield from (401, 403, 429)
    if operation.get("parameters"):
        yield 422
    if "requestBody" in operation:
        yield from (400, 413, 422)
    if route.dependant.path_params or "requestBody" in operation:
        yield from (404, 409)
    elif any(parameter["name"].endswith("_id") for parameter in operation.get("parameters", ())):
        yield 404


def _asks(dependant: Dependant, *doors: object) -> bool:
    """Whether a route depends on one of these ways to ask who is calling."""
    return dependant.call in doors or any(_asks(needed, *doors) for needed in dependant.dependencies)


def _codes() -> dict[int, list[str]]:
    """The codes of all errors by HTTP status."""
    found: dict[int, list[str]] = defaultdict(list)
    for error in _tree(GatehouseError):
        if error not in _ONLY_IN_RUNS:
            found[error.status].append(error.code)
    return found


def _tree(error: type[GatehouseError]) -> Iterator[type[GatehouseError]]:
    yield error
    for narrower in error.__subclasses__():
        yield from _tree(narrower)
