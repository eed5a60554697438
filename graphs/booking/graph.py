"""Booking: identify the customer, then help in a bounded loop; every change is frozen, confirmed, approved."""

from typing import Literal

from langgraph.graph import END, START, StateGraph

from contracts.context import Context
from graphs.booking import stages, wishes
from graphs.booking.drafts import DRAFTS, what_to_confirm
from graphs.booking.state import Desk, Moved, Opened, Result, State, Weighed
from nodes.agent import after_turn, confirms, converses, looks_up, proposes_move, takes_turn
from nodes.conversation import Message, open_case
from nodes.effect import carries_out
from nodes.kinds import reads
from nodes.outcomes import after_approval, after_confirmation, after_freeze
from nodes.recovery import unless_stuck
from nodes.waiting import approval_gate
from tools import airline_customers, workpad

Assistant = Literal["identify_traveller", "assist", "assist_reservation", "assist_disrupted"]
AT: dict[Desk, Assistant] = {
    "identify": "identify_traveller",
    "general": "assist",
    "reservation": "assist_reservation",
    "disrupted": "assist_disrupted",
}
MADE_AT = {"read": "look_up", "write": "weigh_change", "say": "ask_customer", "finish": "close", "stuck": "hand_off"}

MOST_TURNS = 20
"""Somebody may have ten reservations, and each is read before it is known which one they mean."""


def at_desk(state: Opened) -> Assistant:
    """Which tools the assistant is offered: by what was last read, never by what it says."""
    return AT[state["desk"]]


def after_look_up(state: Moved) -> Literal[Assistant, "read_own_profile", "hand_off"]:
    if state["move"]["use"] == workpad.pass_to_person.name:
        return "hand_off"
    return "read_own_profile" if state["desk"] == "identify" and state["customer_id"] else at_desk(state)


def after_weighing(state: Weighed) -> Literal[Assistant, "freeze_change"]:
    return "freeze_change" if state["records"] else at_desk(state)


flow = StateGraph(State, context_schema=Context, input_schema=Message, output_schema=Result)

flow.add_node("open_case", open_case)
flow.add_node("identify_traveller", **takes_turn("identify_traveller", "IdentifyingTraveller", *wishes.TO_IDENTIFY))
flow.add_node("read_own_profile", stages.read_own_profile, **reads(airline_customers.read_profile))
flow.add_node("assist", **takes_turn("assist_traveller", "AssistingTraveller", *wishes.IN_GENERAL))
flow.add_node("assist_reservation", **takes_turn("assist_traveller", "WithReservation", *wishes.WITH_A_RESERVATION))
flow.add_node("assist_disrupted", **takes_turn("assist_traveller", "OnceDisrupted", *wishes.ONCE_DISRUPTED))
flow.add_node("look_up", **looks_up(wishes.READS, stages.note_read))
flow.add_node("ask_customer", **converses())
flow.add_node("weigh_change", stages.weigh_change, **reads(*stages.WEIGHED))
flow.add_node("freeze_change", **proposes_move(DRAFTS))
flow.add_node("confirm_change", **confirms(what_to_confirm))
flow.add_node("approve_change", **approval_gate(*wishes.WRITES))
flow.add_node("make_change", **carries_out(*wishes.WRITES, into="receipt", unknown="park", drift="drift"))
flow.add_node("note_outcome", stages.note_outcome)
flow.add_node("close", stages.close)
flow.add_node("hand_off", stages.hand_off)

flow.add_edge(START, "open_case")
flow.add_edge("open_case", "identify_traveller")
for assistant in AT.values():
    flow.add_conditional_edges(assistant, unless_stuck(after_turn(wishes.OFFERED, MOST_TURNS, **MADE_AT)))
flow.add_conditional_edges("look_up", unless_stuck(after_look_up))
flow.add_conditional_edges("read_own_profile", unless_stuck("assist"))
flow.add_conditional_edges("ask_customer", at_desk)
flow.add_conditional_edges("weigh_change", unless_stuck(after_weighing))
flow.add_conditional_edges("freeze_change", after_freeze)
flow.add_conditional_edges("confirm_change", after_confirmation)
flow.add_conditional_edges("approve_change", after_approval)
flow.add_conditional_edges("make_change", unless_stuck("note_outcome"))
flow.add_conditional_edges("note_outcome", at_desk)
flow.add_edge("close", END)
flow.add_edge("hand_off", END)

graph = flow.compile(name="booking")
