"""Takes a run as callers ask for it, on a thread or on one made for it, or the answer to what a thread waits for."""

from uuid import UUID, uuid4

from api.run_bodies import RunBody
from contracts.errors import NothingToResume
from engine.access.keys import Principal
from engine.assistants.assistants import find_assistant, workflows_own
from engine.assistants.model import with_setup
from engine.runs.model import NewRun, NewThread, Run
from engine.wiring import Engine


async def accept(
    engine: Engine, principal: Principal, body: RunBody, *, thread_id: UUID | None, stream_modes: tuple[str, ...] = ()
) -> Run:
    """The run that was accepted; nothing has begun yet.

    Raises `NotFound` for an unknown assistant or thread and what `Intake.accept` and `Intake.resume` raise.
    """
    options = body.options()
    assistant = workflows_own(engine.catalog, body.assistant_id)
    if assistant is None:
        async with engine.database.reading() as conn:
            _, assistant = await find_assistant(conn, engine.catalog, body.assistant_id, principal.tenant)
    if body.resumes and body.command:
        if thread_id is None:
            raise NothingToResume("An answer needs the thread that waits for it.", hint="POST /threads/{id}/runs")
        answer = body.command.resume
        return await engine.answers.resume(str(thread_id), answer, principal, stream_modes=stream_modes)
    principal.require("caller")
    new = NewRun(
        thread_id=str(thread_id or uuid4()),
        tenant=principal.tenant,
        workflow=assistant.setup.workflow,
        requester=principal.name,
        input=body.input,
        assistant_id=assistant.id,
        stream_modes=stream_modes,
        metadata=body.metadata,
        multitask_strategy=body.multitask_strategy,
        options=with_setup(assistant.setup, options),
        webhook=body.webhook,
        priority=body.priority,
        after_s=body.after_seconds,
    )
    return await engine.intake.accept(new, thread=_thread(new, body, thread_id), operator="operator" in principal.roles)


def _thread(new: NewRun, body: RunBody, thread_id: UUID | None) -> NewThread | None:
    """The thread to make: for a run without one, or where the caller wants a missing one made."""
    if thread_id is None:
        return NewThread(new.thread_id, new.tenant, ephemeral=body.on_completion == "delete")
    return NewThread(new.thread_id, new.tenant) if body.if_not_exists == "create" else None
