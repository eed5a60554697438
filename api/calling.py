"""Starts a run for callers that speak another protocol than the LangGraph API."""

from typing import Any
from uuid import UUID

from pydantic import ValidationError

from api.accepting import accept
from api.run_bodies import RunBody
from contracts.errors import InvalidRequest
from engine.access.keys import Principal
from engine.runs.model import Run
from engine.wiring import Engine


async def start(
    engine: Engine, principal: Principal, assistant_id: str, value: Any, *, thread_id: UUID | None = None
) -> Run:
    """Accept a run of this input on a thread, or without one on a thread that goes with the run.

    Raises `NotFound`, `InvalidRequest`, `GateOpen`.
    """
    try:
        body = RunBody(assistant_id=assistant_id, input=value, if_not_exists="create")
    except ValidationError as error:
        raise InvalidRequest(f"The input does not fit: {error.errors()[0]['msg']}.") from error
    return await accept(engine, principal, body, thread_id=thread_id)
