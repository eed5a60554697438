"""Procurement: read the request and the registers, set the money aside, have people decide, order, book."""

from typing import Literal

from langgraph.graph import END, START, StateGraph

from contracts.context import Context
from graphs.procurement import drafts, stages
from graphs.procurement.state import Decided, Matched, Result, State, Wish
from nodes.effect import carries_out
from nodes.kinds import reads, thinks
from nodes.recovery import unless_stuck
from nodes.waiting import approval_gate, clarification, on_decision, proposes
from tools.budgets import book_outcome, set_aside
from tools.purchasing import place_order

MAX_ROUNDS = 4


def after_match(state: Matched) -> Literal["freeze_reservation", "ask_what_exactly", "hand_off"]:
    match state["match"]["standing"]:
        case "ready":
            return "freeze_reservation"
        case "unclear":
            return "hand_off" if state["rounds"] >= MAX_ROUNDS else "ask_what_exactly"
        case "not_ours":
            return "hand_off"


def after_settlement(state: Decided) -> Literal["read_request", "look_again", "close", "hand_off"]:
    """What was sent back, or has changed since it was approved, has given its reservation up and begins anew."""
    decision, last = state["decision"], state["rounds"] >= MAX_ROUNDS
    if state["drift"]:
        return "hand_off" if last else "look_again"
    if decision and decision["type"] == "respond":
        return "hand_off" if last else "read_request"
    return "close"


NOTHING_RESERVED = {"respond": "hand_off", "reject": "close", "expired": "close"}
NOT_ORDERED = {"respond": "freeze_settlement", "reject": "freeze_settlement", "expired": "freeze_settlement"}
NOT_SETTLED = {"respond": "hand_off", "reject": "hand_off", "expired": "hand_off"}

flow = StateGraph(State, context_schema=Context, input_schema=Wish, output_schema=Result)

flow.add_node("open_case", stages.open_case)
flow.add_node("read_request", stages.read_request, **thinks("read_request"))
flow.add_node("read_records", stages.read_records, **reads(*stages.RECORDS))
flow.add_node("match_request", stages.match_request)
flow.add_node("ask_what_exactly", **clarification(stages.what_exactly, into="clarification"))
flow.add_node("freeze_reservation", **proposes(set_aside, drafts.reservation_draft, into="reservation_proposal"))
flow.add_node(
    "approve_reservation",
    **approval_gate(set_aside, proposal="reservation_proposal", decision="reservation_decision"),
)
flow.add_node("reserve_money", **carries_out(set_aside, into="reservation", proposal="reservation_proposal"))
flow.add_node("weigh_spending", stages.weigh_spending)
flow.add_node("freeze_order", **proposes(place_order, drafts.order_draft))
flow.add_node("approve_order", **approval_gate(place_order))
flow.add_node("place_order", **carries_out(place_order, into="receipt", unknown="park", drift="drift"))
flow.add_node("freeze_settlement", **proposes(book_outcome, drafts.settlement_draft, into="settlement_proposal"))
flow.add_node(
    "approve_settlement",
    **approval_gate(book_outcome, proposal="settlement_proposal", decision="settlement_decision"),
)
flow.add_node("settle_money", **carries_out(book_outcome, into="settlement", proposal="settlement_proposal"))
flow.add_node("look_again", stages.look_again)
flow.add_node("close", stages.close)
flow.add_node("hand_off", stages.hand_off)

flow.add_edge(START, "open_case")
flow.add_edge("open_case", "read_request")
flow.add_conditional_edges("read_request", unless_stuck("read_records"))
flow.add_conditional_edges("read_records", unless_stuck("match_request"))
flow.add_conditional_edges("match_request", after_match)
flow.add_edge("ask_what_exactly", "read_request")
flow.add_edge("freeze_reservation", "approve_reservation")
flow.add_conditional_edges(
    "approve_reservation", **on_decision(of="reservation_decision", approve="reserve_money", **NOTHING_RESERVED)
)
flow.add_conditional_edges("reserve_money", unless_stuck("weigh_spending"))
flow.add_edge("weigh_spending", "freeze_order")
flow.add_edge("freeze_order", "approve_order")
flow.add_conditional_edges("approve_order", **on_decision(approve="place_order", **NOT_ORDERED))
flow.add_edge("place_order", "freeze_settlement")
flow.add_edge("freeze_settlement", "approve_settlement")
flow.add_conditional_edges(
    "approve_settlement", **on_decision(of="settlement_decision", approve="settle_money", **NOT_SETTLED)
)
flow.add_conditional_edges("settle_money", unless_stuck(after_settlement))
flow.add_edge("look_again", "read_records")
flow.add_edge("close", END)
flow.add_edge("hand_off", END)

graph = flow.compile(name="procurement")
