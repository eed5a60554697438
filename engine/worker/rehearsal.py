"""Has the stages at which a case waits ask once more, under the loaded graph, without anything being done or kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from pydantic import JsonValue

from contracts.approval import Draft, JsonObject, Proposal
from contracts.context import Context, ModelReply, Typed
from contracts.errors import NotCompatible, NotFound, ToolOutcomeUnknown
from contracts.tool import Reply, Request, Tool
from engine.catalog.workflow import Workflow
from engine.gateway.gates import RunGates
from engine.gateway.outcomes import effect_of_approval
from engine.runs.model import Run
from engine.store.checkpointer import FencedSaver
from engine.store.database import Database
from engine.store.journal import Journal
from engine.worker.case import case_of

_UNFINISHED = ("__error__", "__interrupt__", "__resume__", "__scheduled__")
"""Channels of writes that a stage leaves which has not come to its end."""


_WHAT_MATTERS = {"approval": ("request_id", "action_digest"), "unknown_effect": ("call_key", "tool", "args")}
"""By kind of card: what makes it the same question."""


class ForgetfulSaver(FencedSaver):
    """Reads what is stored and keeps nothing of what is written."""

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        place = config["configurable"] | {"checkpoint_id": checkpoint["id"]}
        return {"configurable": place}

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        return None


def waits_for(saved: CheckpointTuple) -> dict[str, JsonValue]:
    """What a checkpoint's interrupts show, by their ids, whatever stages the loaded graph has."""
    writes = saved.pending_writes or []
    ended = {task for task, channel, _ in writes if channel not in _UNFINISHED}
    shown = [i for task, channel, value in writes if channel == "__interrupt__" and task not in ended for i in value]
    return {interrupt.id: _question(interrupt.value) for interrupt in shown}


async def ask_again(
    database: Database, saver: ForgetfulSaver, workflow: Workflow, run: Run, config: RunnableConfig
) -> dict[str, JsonValue]:
    """What the same stages would show now, by interrupt id.

    Raises `NotCompatible` when one fails, calls a tool or a model, or freezes an action.
    """
    nothing = _Nothing(database, run)
    context = Context(
        case_of(run),
        tools=nothing,
        models=nothing,
        gates=_Gates(database, Journal(database, run.id, run.epoch), workflow, run),
    )
    graph = workflow.graph.copy({"checkpointer": saver})
    shown: dict[str, JsonValue] = {}
    try:
        async for update in graph.astream(
            None, config, context=context, stream_mode="updates", interrupt_after="*", durability="exit"
        ):
            shown |= {interrupt.id: _question(interrupt.value) for interrupt in update.get("__interrupt__", ())}
    except NotCompatible:
        raise
    except Exception as error:  # whatever the loaded stage raises, the case cannot go on with it
        raise NotCompatible(f"The stage at which the case waits fails under this version: {error!r}.") from error
    return shown


def _question(value: JsonValue) -> JsonValue:
    """What a person is asked. A card repeats its row and its tool's contract, which are compared by themselves."""
    if not isinstance(value, dict) or value.get("kind") not in _WHAT_MATTERS:
        return value
    return {name: value.get(name) for name in ("kind", "stage", *_WHAT_MATTERS[str(value["kind"])])}


@dataclass(frozen=True)
class _Nothing:
    """Tools and models of a rehearsal: a call of which nobody knows the outcome is as it was, no other is made."""

    database: Database
    run: Run

    async def call(self, tool: Tool[Request, Reply], request: Request, *, request_id: str = "") -> Reply:
        if request_id and await self._is_in_doubt(tool.name, request.model_dump(mode="json"), request_id):
            raise ToolOutcomeUnknown(f"Nobody knows what became of {tool.name!r}.")
        raise NotCompatible(f"The stage at which the case waits calls {tool.name!r} before it asks.")

    async def _is_in_doubt(self, tool: str, args: JsonObject, request_id: str) -> bool:
        try:
            async with self.database.transaction() as conn:
                effect = await effect_of_approval(conn, request_id, tenant=self.run.tenant)
        except NotFound:
            return False
        return effect.parked and (effect.tool, effect.args) == (tool, args)

    async def ask(self, prompt: str, returns: type[Typed], **values: JsonValue) -> ModelReply[Typed]:
        raise NotCompatible(f"The stage at which the case waits asks a model ({prompt!r}) before it asks a person.")


class _Gates(RunGates):
    async def freeze(self, tool: Tool[Request, Reply], draft: Draft) -> Proposal:
        raise NotCompatible(f"The stage at which the case waits freezes a call of {tool.name!r} before it asks.")
