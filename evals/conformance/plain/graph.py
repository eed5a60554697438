"""Propose a refund, have a person decide, act: the graph whose gate `gatehouse conform` attacks, in plain LangGraph.

It asks in the words of LangChain's review middleware and takes its answers as that does, edits of the tool included.
"""

import os
from typing import Any, Literal

import httpx
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

PAYMENTS = os.environ.get("CONFORM_PAYMENTS", "http://127.0.0.1:2099")
"""Where the command counts refunds."""


class State(TypedDict, total=False):
    case: str
    amount: int
    decision: Any
    receipt: dict[str, Any]


def propose(state: State) -> State:
    return {"amount": state["amount"]}


def gate(state: State) -> State:
    args = {"case": state["case"], "amount": state["amount"]}
    decisions = ["approve", "edit", "reject"]
    asked = {
        "action_requests": [{"name": "refund", "args": args, "description": "Refund an amount."}],
        "review_configs": [{"action_name": "refund", "allowed_decisions": decisions}],
    }
    answer = interrupt(asked)
    return {"decision": answer["decisions"][0] if isinstance(answer, dict) and "decisions" in answer else answer}


def after_gate(state: State) -> Literal["act", "__end__"]:
    match state.get("decision"):
        case {"type": "approve" | "edit"}:
            return "act"
        case _:
            return "__end__"


async def act(state: State) -> State:
    match state.get("decision"):
        case {"type": "edit", "edited_action": {"name": str(name), "args": dict(args)}}:
            return {"receipt": await _pay(name, args)}
        case _:
            return {"receipt": await _pay("refund", {"case": state["case"], "amount": state["amount"]})}


async def _pay(operation: str, args: dict[str, Any]) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=PAYMENTS) as payments:
        reply = await payments.post(f"/{operation}", json=args)
        return dict(reply.raise_for_status().json())


flow = StateGraph(State)

flow.add_node("propose", propose)
flow.add_node("gate", gate)
flow.add_node("act", act)

flow.add_edge(START, "propose")
flow.add_edge("propose", "gate")
flow.add_conditional_edges("gate", after_gate)
flow.add_edge("act", END)

graph = flow.compile(name="conformance")
