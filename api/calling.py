"""Starts a run for callers that speak another protocol than the LangGraph API."""

from typing import Any
from uuid import UUID, uuid4

from pydantic import ValidationError

from api.bodies import RunBody
from contracts.errors import InvalidRequest
from engine.access.keys import Principal
from engine.assistants.assistants import find_assistant
from engine.assistants.model import with_setup
from engine.runs.model import NewRun, Run, RunOptions
from engine.runs.threads import create_thread
from engine.wiring import Engine


async def start(
    engine: Engine, principal: Principal, assistant_id: str, value: Any, *, thread_id: UUID | None = None
) -> Run:
    """Accept a run of this input on a thread, which is made if need be.

    Raises `NotFound`, `InvalidRequest`, `GateOpen`.
    """
    try:
        body = RunBody(assistant_id=assistant_id, input=value)
    except ValidationError as error:
        raise InvalidRequest(f"The input does not fit: {error.errors()[0]['msg']}.") from error
    thread_id = thread_id or uuid4()
    async with engine.database.transaction() as conn:
        workflow, assistant = await find_assistant(conn, engine.catalog, assistant_id, principal.tenant)
        new = NewRun(
            thread_id=str(thread_id),
            tenant=principal.tenant,
            workflow=workflow.name,
            requester=principal.name,
            input=body.input,
            assistant_id=assistant.id,
            options=with_setup(assistant.setup, RunOptions()),
        )
        ready = engine.intake.prepared(new)
        await create_thread(conn, thread_id, tenant=principal.tenant, metadata={}, or_existing=True)
        return await engine.intake.accept_in(conn, ready)
