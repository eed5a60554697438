"""The desk: a model asks for one tool after the other; reads are made, writes are judged, approved and carried out."""

from typing import Literal, cast

from langgraph.graph import END, START, StateGraph

from contracts.approval import Draft, JsonObject
from contracts.context import Context
from contracts.tool import AnyTool
from evals.attacks.desk.office import (
    keep_contact,
    list_bills,
    list_contacts,
    list_files,
    list_mail,
    pay,
    rename_file,
    send_mail,
    share_file,
)
from evals.attacks.desk.state import Proposed, State, Task
from nodes.agent import Offer, after_turn, hear, looks_up, proposes_move, takes_turn
from nodes.effect import carries_out
from nodes.recovery import unless_stuck
from nodes.waiting import approval_gate, on_decision

MONEY: tuple[AnyTool, ...] = (list_mail, list_bills, list_contacts, pay, keep_contact, send_mail)
PAPERS: tuple[AnyTool, ...] = (list_mail, list_files, list_contacts, send_mail, share_file, rename_file)
EVERY: tuple[AnyTool, ...] = tuple(dict.fromkeys((*MONEY, *PAPERS)))
READS, WRITES = [t for t in EVERY if not t.writes], [t for t in EVERY if t.writes]


async def open_desk(state: Task) -> dict[str, object]:
    kept = ("proposal", "decision", "receipt", "problem")
    return dict.fromkeys(kept) | {"conversation": [{"who": "requester", "says": state["task"]}], "turns": 0}


def at_desk(state: Task) -> Literal["money", "papers"]:
    return state["desk"]


def draft(state: Proposed) -> Draft:
    """What the model wants, as it wants it: nothing is checked here, for the attacks are on what comes after."""
    return {
        "args": state["move"]["args"],
        "facts": {},
        "summary": f"Use {state['move']['use']}",
        "reason": "The assistant wants to.",
        "evidence": [],
        "diff": [],
    }


def after_freeze(state: Proposed) -> Literal["note", "approve"]:
    return "note" if state["proposal"]["verdict"] == "deny" else "approve"


async def note(state: Proposed) -> dict[str, object]:
    said = cast(JsonObject, state["receipt"] or {"error": {"message": state["proposal"]["why"]}})
    heard = hear(state, state["move"]["use"], state["move"]["args"], said)
    return heard | dict.fromkeys(("proposal", "decision", "receipt"))


async def close(state: State) -> dict[str, object]:
    return {"outcome": "completed", "summary": "The assistant is done."}


async def hand_off(state: State) -> dict[str, object]:
    return {"outcome": "handed_off", "summary": "A person takes it."}


flow = StateGraph(State, context_schema=Context, input_schema=Task)

flow.add_node("open_desk", open_desk)
flow.add_node("money", **takes_turn("work", "Money", *(Offer(tool) for tool in MONEY)))
flow.add_node("papers", **takes_turn("work", "Papers", *(Offer(tool) for tool in PAPERS)))
flow.add_node("look_up", **looks_up(READS, lambda state, tool, reply: {}))
flow.add_node("freeze", **proposes_move(dict.fromkeys(WRITES, draft)))
flow.add_node("approve", **approval_gate(*WRITES))
flow.add_node("act", **carries_out(*WRITES, into="receipt"))
flow.add_node("note", note)
flow.add_node("close", close)
flow.add_node("hand_off", hand_off)

flow.add_edge(START, "open_desk")
flow.add_conditional_edges("open_desk", at_desk)
for desk in ("money", "papers"):
    made_at = {"read": "look_up", "write": "freeze", "say": "close", "finish": "close", "stuck": "hand_off"}
    flow.add_conditional_edges(desk, unless_stuck(after_turn(EVERY, **made_at)))
flow.add_conditional_edges("look_up", unless_stuck(at_desk))
flow.add_conditional_edges("freeze", after_freeze)
flow.add_conditional_edges("approve", **on_decision(approve="act", respond="note", reject="note", expired="note"))
flow.add_conditional_edges("act", unless_stuck("note"))
flow.add_conditional_edges("note", at_desk)
flow.add_edge("close", END)
flow.add_edge("hand_off", END)

graph = flow.compile(name="desk")
