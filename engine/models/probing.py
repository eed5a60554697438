"""Asks a route one tiny question that carries nobody's data: does it answer, how fast, and in the shape it is given."""

import time
from dataclasses import asdict, dataclass

import httpx
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.approval import JsonObject
from contracts.errors import ModelError
from engine.models.attempts import whole_reply
from engine.models.failures import finish_of
from engine.models.route import Route, chat_model

_MAX_TOKENS = 200


class _Sum(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sum: int


@dataclass(frozen=True)
class Probe:
    """What came of one question."""

    route: str
    answered: bool
    model: str = ""
    """As the endpoint calls it."""
    latency_ms: int = 0
    structured: bool = False
    """Whether the reply kept to the schema that was sent with the question."""
    tokens_read: int = 0
    tokens_written: int = 0
    finish_reason: str = ""
    error: str = ""
    detail: str = ""

    def row(self) -> JsonObject:
        return dict(asdict(self))


async def probe(route: Route, http: httpx.AsyncClient) -> Probe:
    """One attempt, whatever comes of it; raises nothing of what an endpoint may do."""
    shape: JsonObject = {
        "type": "json_schema",
        "json_schema": {"name": "Sum", "strict": True, "schema": _Sum.model_json_schema()},
    }
    began = time.monotonic()
    try:
        model = chat_model(route, http, max_tokens=_MAX_TOKENS)
        asked = [SystemMessage("Answer with the JSON object alone."), HumanMessage("What is two and three?")]
        reply = await whole_reply(model, route.label, asked, shape)
    except ModelError as error:
        return Probe(route.label, False, latency_ms=_ms_since(began), error=error.code, detail=error.detail)
    usage = reply.usage_metadata
    return Probe(
        route.label,
        True,
        model=str(reply.response_metadata.get("model_name") or route.model),
        latency_ms=_ms_since(began),
        structured=_fits(str(reply.text)),
        tokens_read=usage["input_tokens"] if usage else 0,
        tokens_written=usage["output_tokens"] if usage else 0,
        finish_reason=finish_of(reply),
    )


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _fits(text: str) -> bool:
    try:
        _Sum.model_validate_json(text)
    except ValidationError:
        return False
    return True
