"""State that is written from outside, where nobody waits: updates, super-steps, copies. Such a thread does not act."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import EmptyInputError, InvalidUpdateError
from langgraph.types import StateUpdate
from psycopg.rows import DictRow

from contracts.approval import JsonObject
from contracts.errors import DigestMismatch, GateOpen, InvalidRequest, ThreadBusy
from contracts.event import Event
from engine.access.keys import Principal
from engine.audit import audit
from engine.audit.audit import Subject
from engine.catalog.catalog import Catalog
from engine.catalog.workflow import Workflow
from engine.gateway.ledger import unknown_effects
from engine.runs.events import append_state_update
from engine.runs.model import NewThread
from engine.runs.runs import active_runs
from engine.runs.threads import create_thread, get_thread, mark_deleted, mark_edited
from engine.store.checkpointer import FencedSaver, Holder
from engine.store.checkpoints import copy_thread, delete_of_thread
from engine.store.database import Connection, Database
from engine.store.journal import Page
from engine.store.retention import prune, surplus
from engine.store.seal import SealedSerializer
from engine.worker.admission import require_enterable, require_stage
from engine.worker.asked import require_no_open_gate
from engine.worker.state import StateReader

_LANGGRAPHS_OWN = ("__input__", "__start__", "__end__")
"""Names beside stages in whose name LangGraph lets state be written: as the run's input, its start and its end."""


@dataclass(frozen=True)
class Editor:
    """The only way to write state without a run."""

    database: Database
    catalog: Catalog
    seal_key: bytes

    async def update(
        self, thread_id: str, steps: Sequence[Sequence[StateUpdate]], principal: Principal, *, at: str | None = None
    ) -> RunnableConfig:
        """Apply super-steps of updates to the newest state, or to that of the checkpoint `at`; returns where it stands.

        Raises `BypassRefused` for a gate's name, `DigestMismatch` while an open request shows the present state,
        `ThreadBusy` while a run works on it, `InvalidRequest`, `NotFound` for a checkpoint that the thread lacks.
        """
        async with self.database.transaction() as conn:
            thread = await get_thread(conn, thread_id, tenant=principal.tenant, lock=True)
            workflow = self._workflow(thread)
            for update in (update for step in steps for update in step):
                _require_free(workflow, update.as_node)
            await _require_unwatched(conn, thread_id)
            await require_idle(conn, thread_id)
            if at:
                await StateReader(self.database, self.catalog, self.seal_key).at(thread, at)
            page = Page()
            config = await self._written(thread, workflow, steps, page, at)
            await page.write(conn)
            await mark_edited(conn, thread_id, by=principal.name, workflow=workflow.name)
            await append_state_update(conn, thread_id, config["configurable"]["checkpoint_id"])
            named: JsonObject = {"as": [u.as_node for step in steps for u in step], "checkpoint_id": at}
            await audit.append(conn, Subject(thread_id, "", principal.name), Event.STATE_EDITED, named)
        return config

    async def copy(self, thread_id: str, principal: Principal) -> DictRow:
        """A new thread with this one's state and history, to look and to try: it does not act.

        Raises `GateOpen` while the thread waits for somebody, `ThreadBusy`.
        """
        async with self.database.transaction() as conn:
            thread = await get_thread(conn, thread_id, tenant=principal.tenant, lock=True)
            await require_no_open_gate(conn, thread_id)
            await require_idle(conn, thread_id)
            new = NewThread(str(uuid.uuid4()), principal.tenant, thread["metadata"], thread["workflow"])
            await create_thread(conn, new)
            if thread["workflow"]:
                serde = SealedSerializer(self.seal_key, tenant=new.tenant, thread_id=new.id)
                await copy_thread(conn, thread_id, new.id, self._serde(thread), serde)
                await mark_edited(conn, new.id, by=principal.name, workflow=thread["workflow"])
            subject = Subject(new.id, "", principal.name)
            await audit.append(conn, subject, Event.STATE_EDITED, {"copy_of": thread_id})
            return await get_thread(conn, new.id, tenant=principal.tenant)

    async def delete(self, thread_id: str, principal: Principal) -> None:
        """Forget a thread's state, its history and what callers sent; ledger and audit trail stay.

        Raises `GateOpen` and `ThreadBusy` while anybody or anything is waited for.
        """
        async with self.database.transaction() as conn:
            await get_thread(conn, thread_id, tenant=principal.tenant, lock=True)
            await require_no_open_gate(conn, thread_id)
            await require_idle(conn, thread_id)
            await delete_of_thread(conn, thread_id)
            await mark_deleted(conn, thread_id)
            await audit.append(conn, Subject(thread_id, "", principal.name), Event.THREAD_DELETED, {})

    async def prune(self, thread_id: str, principal: Principal) -> None:
        """Keep only the newest state of a thread. Raises as `delete` does."""
        async with self.database.transaction() as conn:
            await get_thread(conn, thread_id, tenant=principal.tenant, lock=True)
            await require_no_open_gate(conn, thread_id)
            await require_idle(conn, thread_id)
            old = await surplus(conn, thread_id, keep=1)
            await prune(conn, thread_id, old)
            data: JsonObject = {"checkpoints": len(old), "kept": 1}
            await audit.append(conn, Subject(thread_id, "", principal.name), Event.THREAD_PRUNED, data)

    async def _written(
        self, thread: DictRow, workflow: Workflow, steps: Sequence[Sequence[StateUpdate]], page: Page, at: str | None
    ) -> RunnableConfig:
        where = {"thread_id": str(thread["id"])} | ({"checkpoint_id": at} if at else {})
        saver = FencedSaver(self.database, self._serde(thread), Holder(page.add, _unheard, _unheard))
        graph = workflow.graph.copy({"checkpointer": saver})
        try:
            return await graph.abulk_update_state({"configurable": where}, steps)
        except (InvalidUpdateError, EmptyInputError, ValueError, KeyError, TypeError) as error:
            raise InvalidRequest(f"The state of {workflow.name!r} cannot be updated like that: {error!r}") from error

    def _workflow(self, thread: DictRow) -> Workflow:
        name = thread["workflow"] or thread["metadata"].get("graph_id")
        if name is None:
            raise InvalidRequest(
                f"Thread {thread['id']} has no workflow yet, so there is no state to write.",
                hint="Create it with graph_id, or start a run.",
            )
        return self.catalog[name]

    def _serde(self, thread: DictRow) -> SealedSerializer:
        return SealedSerializer(self.seal_key, tenant=thread["tenant"], thread_id=str(thread["id"]))


async def require_idle(conn: Connection, thread_id: str) -> None:
    """Raises `ThreadBusy` while a run is unfinished, or nobody knows what became of an effect of the thread."""
    if runs := await active_runs(conn, thread_id):
        raise ThreadBusy(f"Run {runs[0].id} of the thread is {runs[0].status!r}.", hint="Join it, or cancel it first.")
    if unknown := await unknown_effects(conn, thread_id):
        raise ThreadBusy(
            f"Nobody knows yet what became of {unknown} effect(s) of thread {thread_id}.", hint="Resolve them first."
        )


async def _require_unwatched(conn: Connection, thread_id: str) -> None:
    try:
        await require_no_open_gate(conn, thread_id)
    except GateOpen as error:
        raise DigestMismatch(
            "The thread waits for a decision; another state would not be the one that the open request shows.",
            hint=error.hint,
            facts=error.facts,
        ) from error


def _require_free(workflow: Workflow, as_node: str | None) -> None:
    if as_node is not None and as_node not in _LANGGRAPHS_OWN:
        require_stage(workflow, as_node)
        require_enterable(workflow, as_node)


def _unheard(_: Any) -> None:
    """Stages and interrupts of an update are nobody's."""
