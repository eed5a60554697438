"""The floor of the billing dispute: its graph with LangGraph's own Postgres saver. No gateway, no audit, no gates."""

import uuid
from dataclasses import dataclass
from typing import Any

import httpx
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg_pool import AsyncConnectionPool

from contracts.approval import Decision, Draft, Proposal
from contracts.context import Case, Context, ModelReply, Typed
from contracts.tool import Call, Reply, Request, Tool
from engine.gateway.systems import Systems
from engine.gateway.transport import HttpTransport
from graphs.billing_dispute.graph import graph
from graphs.billing_dispute.stand_ins import STAND_INS
from graphs.billing_dispute.state import Claim


@dataclass
class BareTools:
    """Tools called directly."""

    systems: Systems

    async def call(self, tool: Tool[Request, Reply], request: Request, *, request_id: str = "") -> Reply:
        key = uuid.uuid4().hex
        transport = HttpTransport(self.systems, tool, key, writes=tool.writes)
        return await tool.run(request, Call(key, transport))


class BareModels:
    """The workflow's stand-ins, called directly: no model's latency hides what the engine costs."""

    async def ask(self, prompt: str, returns: type[Typed], **values: Any) -> ModelReply[Typed]:
        return ModelReply(returns.model_validate(STAND_INS[prompt](values)), "stand-in", "stand-in")


class OpenGates:
    """Everything is allowed and nothing is stored."""

    async def freeze(self, tool: Tool[Request, Reply], draft: Draft) -> Proposal:
        request_id = uuid.uuid4().hex
        proposal: Proposal = {
            "request_id": request_id,
            "action_digest": request_id,
            "tool": tool.name,
            "args": draft["args"],
            "verdict": "allow",
            "rule": "",
            "why": "",
        }
        self._frozen = proposal
        return proposal

    async def card(self, request_id: str) -> dict[str, Any]:
        return {}

    async def doubt(self, request_id: str) -> dict[str, Any]:
        return {}

    async def question(self, text: str) -> dict[str, Any]:
        return {}

    async def decision(self, request_id: str) -> Decision:
        frozen = self._frozen
        return {
            "type": "approve",
            "by": "nobody",
            "reason": "",
            "message": "",
            "request_id": request_id,
            "args": frozen["args"],
            "action_digest": frozen["action_digest"],
        }


async def run_bare(pool: AsyncConnectionPool[Any], clients: dict[str, httpx.AsyncClient], claim: Claim) -> None:
    """One dispute, with a saver of its own over the shared pool: a shared saver serialises its callers."""
    thread = str(uuid.uuid4())
    case = Case(thread, thread, "billing_dispute", "", "default", "agent", "bench", "2026-11-02")
    systems = Systems({}, {})
    for name, client in clients.items():
        systems.use(name, client)
    context = Context(case, BareTools(systems), BareModels(), OpenGates())
    bare = graph.copy({"checkpointer": AsyncPostgresSaver(pool)})
    result = await bare.ainvoke(claim, {"configurable": {"thread_id": thread}}, context=context, durability="sync")
    if result["outcome"] != "completed":
        raise AssertionError(f"the floor did something else: {result}")
