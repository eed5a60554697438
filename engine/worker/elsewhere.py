"""What a graph reaches when another LangGraph server carries its run: our gateway, models and gates."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from langgraph.config import get_config
from langgraph.types import Interrupt
from pydantic import JsonValue

from contracts.approval import Decision, Draft, JsonObject, Proposal
from contracts.context import Case, Gates, ModelReply, Models, Tools, Typed
from contracts.errors import NotCarried
from contracts.tool import Reply, Request, Tool
from engine.approvals.requests import ask
from engine.catalog.workflow import Workflow
from engine.gateway.calls import RunTools
from engine.gateway.gates import RunGates
from engine.models.asking import RunModels
from engine.runs.elsewhere import leave_all, visit
from engine.runs.model import NewRun, Run
from engine.store.journal import Journal
from engine.store.scope import enter_tenant, of_tenant
from engine.worker.advance import Carrier
from engine.worker.screening import screen

_TENANT = "default"


@dataclass(frozen=True)
class _Leg:
    """One run over there, and what its stages may reach."""

    run: Run
    workflow: Workflow
    journal: Journal
    tools: RunTools
    models: RunModels
    gates: RunGates


class Elsewhere:
    """`contracts.context.Ports` for runs that `server` carries: state, queue and streams are its own.

    A request for approval is registered when its card is made, and decided with us; what the other server is resumed
    with decides nothing. Leases and sealed state are not to be had there. What the state holds in the input's fields
    when a run first reaches us counts as the words of whoever calls that server.
    """

    def __init__(self, carrier: Carrier, server: str) -> None:
        self._carrier = carrier
        self._server = server
        self._legs: dict[str, _Leg] = {}
        self._lock = asyncio.Lock()
        self.case = cast(Case, _CaseAsItRuns(self))
        self.tools: Tools = _Tools(self)
        self.models: Models = _Models(self)
        self.gates: Gates = _Gates(self)

    async def close(self) -> None:
        """No run is held any more."""
        with of_tenant(_TENANT):
            async with self._carrier.database.transaction() as conn:
                await leave_all(conn, self._carrier.name)

    async def leg(self) -> _Leg:
        """The run whose stage is executed. Raises `BypassRefused` on a thread of ours."""
        new, run_id = self._new_run()
        enter_tenant(new.tenant)
        async with self._lock:
            known = self._legs.get(new.thread_id)
            if known is None or known.run.id != run_id:
                self._legs[new.thread_id] = known = await self._begin(new, run_id)
        return known

    async def _begin(self, new: NewRun, run_id: str) -> _Leg:
        carrier, workflow = self._carrier, self._carrier.catalog[new.workflow]
        async with carrier.database.transaction() as conn:
            run = await visit(conn, new, run_id, carried_by=self._server, owner=carrier.name)
        journal = Journal(carrier.database, run.id, run.epoch)
        return _Leg(
            run,
            workflow,
            journal,
            carrier.tools(run, journal, workflow),
            RunModels(carrier.database, journal, carrier.models, workflow, run),
            carrier.gates(run, journal, workflow),
        )

    async def register(self, leg: _Leg, card: JsonObject) -> None:
        """Open the request that a card shows, as our own checkpointer does when it saves the interrupt."""
        queue = self._carrier.catalog.queue_of(leg.workflow.name).terms
        shown: Interrupt[Any] = Interrupt.from_ns(card, ns=str(get_config()["configurable"]["checkpoint_ns"]))
        async with leg.journal.transaction() as conn:
            await ask(conn, leg.run, shown.id, card, queue)

    def _new_run(self) -> tuple[NewRun, str]:
        place = get_config().get("configurable", {})
        thread_id, run_id, workflow = (str(place.get(name, "")) for name in ("thread_id", "run_id", "graph_id"))
        if not (_is_uuid(thread_id) and _is_uuid(run_id) and workflow in list(self._carrier.catalog)):
            raise NotCarried("This server does not say which thread, run and graph a stage belongs to.")
        loaded = self._carrier.catalog[workflow]
        given = screen(loaded.policy, _given(place, loaded))
        return NewRun(thread_id, _TENANT, workflow, f"server:{self._server}", given, version=loaded.version), run_id

    def current_case(self) -> Case:
        """The case as far as it is known without asking the database."""
        new, run_id = self._new_run()
        return Case(
            thread_id=new.thread_id,
            run_id=run_id,
            workflow=new.workflow,
            version=new.version,
            tenant=new.tenant,
            actor=f"agent:{new.workflow}",
            requester=new.requester,
            opened_on=_day_of(UUID(run_id)),
        )


class _CaseAsItRuns:
    """A `Case` whose members are those of the run that is being executed."""

    def __init__(self, elsewhere: Elsewhere) -> None:
        self._elsewhere = elsewhere

    def __getattr__(self, name: str) -> Any:
        return getattr(self._elsewhere.current_case(), name)


@dataclass(frozen=True)
class _Tools:
    elsewhere: Elsewhere

    async def call(self, tool: Tool[Request, Reply], request: Request, *, request_id: str = "") -> Reply:
        return await (await self.elsewhere.leg()).tools.call(tool, request, request_id=request_id)


@dataclass(frozen=True)
class _Models:
    elsewhere: Elsewhere

    async def ask(self, prompt: str, returns: type[Typed], **values: JsonValue) -> ModelReply[Typed]:
        return await (await self.elsewhere.leg()).models.ask(prompt, returns, **values)


@dataclass(frozen=True)
class _Gates:
    elsewhere: Elsewhere

    async def freeze(self, tool: Tool[Request, Reply], draft: Draft) -> Proposal:
        return await (await self.elsewhere.leg()).gates.freeze(tool, draft)

    async def card(self, request_id: str) -> JsonObject:
        leg = await self.elsewhere.leg()
        card = await leg.gates.card(request_id)
        await self.elsewhere.register(leg, card)
        return card

    async def doubt(self, request_id: str) -> JsonObject:
        return await (await self.elsewhere.leg()).gates.doubt(request_id)

    async def question(self, text: str, *, confirms: str = "") -> JsonObject:
        return await (await self.elsewhere.leg()).gates.question(text, confirms=confirms)

    async def decision(self, request_id: str) -> Decision:
        return await (await self.elsewhere.leg()).gates.decision(request_id)


def _given(place: Mapping[str, Any], workflow: Workflow) -> JsonObject:
    """The input's fields as the thread's state holds them: that server has no other record of what it was given."""
    read = place.get("__pregel_read")
    return dict(read(sorted(workflow.inputs))) if read else {}


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _day_of(run_id: UUID) -> str:
    """The day on which a run was created, from its id (version 7: milliseconds since 1970), so that a replay agrees."""
    created = datetime.fromtimestamp((run_id.int >> 80) / 1000, UTC) if run_id.version == 7 else datetime.now(UTC)
    return created.date().isoformat()
