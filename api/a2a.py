"""Assistants as agents of the Agent2Agent protocol: a task is a case, its context is the thread."""

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

from a2a.helpers.proto_helpers import get_data_parts, new_data_artifact, new_data_message
from a2a.server.context import ServerCallContext
from a2a.server.events import Event
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.types import a2a_pb2 as pb
from a2a.utils import errors
from fastapi.encoders import jsonable_encoder

from api.answers import result_of
from api.calling import start
from contracts.errors import GatehouseError, NotFound
from engine.access.keys import Principal
from engine.assistants.model import Assistant
from engine.runs.model import Cancellation, Run
from engine.runs.runs import get_run, list_runs
from engine.wiring import Engine

_LOG = logging.getLogger("gatehouse.api")
_STATES = {
    "pending": pb.TASK_STATE_SUBMITTED,
    "running": pb.TASK_STATE_WORKING,
    "success": pb.TASK_STATE_COMPLETED,
    "error": pb.TASK_STATE_FAILED,
    "timeout": pb.TASK_STATE_FAILED,
    "interrupted": pb.TASK_STATE_INPUT_REQUIRED,
}
_JSON = "application/json"


class Agent(RequestHandler):
    """One assistant, as one caller sees it. What waits for a person is shown, and never decided here."""

    def __init__(self, engine: Engine, principal: Principal, assistant: Assistant) -> None:
        self._engine = engine
        self._principal = principal
        self._assistant = assistant

    async def on_message_send(self, params: pb.SendMessageRequest, context: ServerCallContext) -> pb.Task:
        with _told():
            run = await self._start(params.message)
            return await self._task(run if params.configuration.return_immediately else await self._ended(run))

    async def on_message_send_stream(
        self, params: pb.SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        with _told():
            async for event in self._follow(await self._start(params.message)):
                yield event

    async def on_subscribe_to_task(
        self, params: pb.SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        with _told():
            async for event in self._follow(await self._run(params.id)):
                yield event

    async def on_get_task(self, params: pb.GetTaskRequest, context: ServerCallContext) -> pb.Task:
        with _told():
            return await self._task(await self._run(params.id))

    async def on_cancel_task(self, params: pb.CancelTaskRequest, context: ServerCallContext) -> pb.Task:
        with _told():
            run = await self._run(params.id)
            if run.requester != self._principal.name:
                self._principal.require("operator")
            await self._engine.intake.cancel(run, Cancellation(self._principal.name))
            return await self._task(await self._ended(run))

    async def _unsupported(self, params: Any, context: ServerCallContext) -> Any:
        raise errors.UnsupportedOperationError("This server keeps no push targets here, and lists tasks as threads.")

    on_list_tasks = _unsupported
    on_create_task_push_notification_config = _unsupported
    on_get_task_push_notification_config = _unsupported
    on_list_task_push_notification_configs = _unsupported
    on_delete_task_push_notification_config = _unsupported
    on_get_extended_agent_card = _unsupported

    async def _start(self, message: pb.Message) -> Run:
        if message.task_id:
            raise errors.UnsupportedOperationError("A task that waits is answered by whom it waits for, on its thread.")
        data = [_whole(part) for part in get_data_parts(message.parts)]
        if len(data) != 1:
            raise errors.InvalidParamsError("Send the workflow's input as one data part.")
        thread_id = UUID(message.context_id) if message.context_id else uuid4()
        return await start(self._engine, self._principal, self._assistant.id, data[0], thread_id=thread_id)

    async def _run(self, task_id: str) -> Run:
        """The newest run of a case."""
        async with self._engine.database.transaction() as conn:
            first = await get_run(conn, str(UUID(task_id)), tenant=self._principal.tenant)
            legs = await list_runs(conn, first.thread_id, tenant=first.tenant, limit=1000)
        return next((leg for leg in legs if leg.case_id == first.case_id), first)

    async def _ended(self, run: Run) -> Run:
        return await self._engine.notices.wait_for_end(run.id, tenant=run.tenant)

    async def _follow(self, run: Run) -> AsyncGenerator[Event]:
        yield await self._task(run)
        if not run.ended:
            task = await self._task(await self._ended(run))
            for made in task.artifacts:
                yield pb.TaskArtifactUpdateEvent(task_id=task.id, context_id=task.context_id, artifact=made)
            yield pb.TaskStatusUpdateEvent(task_id=task.id, context_id=task.context_id, status=task.status)

    async def _task(self, run: Run) -> pb.Task:
        values = jsonable_encoder(await result_of(self._engine, run)) if run.ended else {}
        told = {name: values.pop(name) for name in ("__interrupt__", "__error__") if name in values}
        status = pb.TaskStatus(state=_STATES[run.status])
        if run.outcome == "cancelled":
            status.state = pb.TASK_STATE_CANCELED
        elif told:
            status.message.CopyFrom(new_data_message(told, _JSON, run.thread_id, run.case_id))
        status.timestamp.FromDatetime(run.updated_at)
        task = pb.Task(id=run.case_id, context_id=run.thread_id, status=status)
        if run.status == "success":
            task.artifacts.append(new_data_artifact("result", values, _JSON, artifact_id=run.id))
        task.metadata.update({"run_id": run.id, "outcome": run.outcome})
        return task


def card_json(assistant: Assistant, version: str, url: str) -> dict[str, Any]:
    """What clients read of an agent before they call it."""
    setup = assistant.setup
    about = setup.description or setup.workflow
    skill = pb.AgentSkill(id=setup.workflow, name=setup.name, description=about, tags=[setup.workflow])
    card = pb.AgentCard(
        name=setup.name,
        description=about,
        version=version,
        supported_interfaces=[pb.AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0")],
        capabilities=pb.AgentCapabilities(streaming=True),
        default_input_modes=[_JSON],
        default_output_modes=[_JSON],
        skills=[skill],
    )
    told: dict[str, Any] = agent_card_to_dict(card)
    return told


@contextmanager
def _told() -> Iterator[None]:
    """Errors as the protocol has them."""
    try:
        yield
    except errors.A2AError:
        raise
    except NotFound as error:
        raise errors.TaskNotFoundError(error.detail) from error
    except GatehouseError as error:
        raise errors.InvalidParamsError(error.detail, {"code": error.code, "hint": error.hint}) from error
    except ValueError as error:
        raise errors.InvalidParamsError("Ids of tasks and contexts are UUIDs.") from error
    except Exception as error:  # the library would show the caller the text of any failure
        _LOG.exception("a call of an agent failed")
        raise errors.InternalError("The server failed; see its log.") from error


def _whole(value: Any) -> Any:
    """Whole numbers as they were sent: the protocol's library turns all numbers into floats."""
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
