"""A refund with everything that a workflow declares; tests take parts of it away."""

from typing import NotRequired

from langgraph import types  # noqa: F401  # for what a test adds
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import JsonValue
from typing_extensions import TypedDict

from contracts.approval import Decision, Draft, Proposal
from contracts.context import Context
from nodes.effect import carries_out
from nodes.kinds import reads
from nodes.recovery import Problem, or_hand_off, unless_stuck
from nodes.waiting import approval_gate, on_decision, proposes
from tools import billing


class State(TypedDict):
    account_id: str
    bill: NotRequired[dict[str, JsonValue]]
    proposal: NotRequired[Proposal | None]
    decision: NotRequired[Decision | None]
    receipt: NotRequired[dict[str, JsonValue] | None]
    problem: NotRequired[Problem | None]
    outcome: NotRequired[str]


@or_hand_off
async def read_bill(state: State, runtime: Runtime[Context]) -> dict[str, object]:
    bill = await runtime.context.tools.call(
        billing.list_charges, billing.ChargesRequest(account_id=state["account_id"])
    )
    return {"bill": bill.model_dump(mode="json")}


def draft(state: State) -> Draft:
    args = {"account_id": state["account_id"]}
    return {"args": dict(args), "facts": {}, "summary": "Pay.", "reason": "", "evidence": [], "diff": []}


async def close(state: State) -> dict[str, object]:
    return {"outcome": "completed"}


async def hand_off(state: State) -> dict[str, object]:
    return {"outcome": "handed_off"}


flow = StateGraph(State, context_schema=Context)
flow.add_node("read_bill", read_bill, **reads(billing.list_charges))
flow.add_node("freeze_refund", **proposes(billing.issue_refund, draft))
flow.add_node("approve_refund", **approval_gate(billing.issue_refund))
flow.add_node("pay_refund", **carries_out(billing.issue_refund, into="receipt"))
flow.add_node("close", close)
flow.add_node("hand_off", hand_off)
flow.add_edge(START, "read_bill")
flow.add_conditional_edges("read_bill", unless_stuck("freeze_refund"))
flow.add_edge("freeze_refund", "approve_refund")
flow.add_conditional_edges(
    "approve_refund", **on_decision(approve="pay_refund", respond="hand_off", reject="close", expired="close")
)
flow.add_conditional_edges("pay_refund", unless_stuck("close"))
flow.add_edge("close", END)
flow.add_edge("hand_off", END)

graph = flow.compile()
