"""The workflow that is driven in any order: one effect, of a system that drops repeats or of one that does not."""

from typing import Any, Literal, NotRequired

from langgraph.graph import END, START, StateGraph
from pydantic import JsonValue
from typing_extensions import TypedDict

from contracts.approval import Decision, Draft, Proposal
from contracts.context import Context
from contracts.policy import Budget, Level, Policy, Queue, Quorum, Rule, above, allow, deny, require_approval
from contracts.tool import AnyTool
from engine.catalog.workflow import Workflow, stages_of
from nodes.effect import carries_out
from nodes.recovery import Problem, unless_stuck
from nodes.waiting import approval_gate, on_decision, proposes
from trials.counter import add, press

FREE, ONE, TWO = 10, 100, 1_000
"""Up to which number nobody, one person of finance, and finance with a manager decide; above, nobody may."""
HOUR_S = 3600
PAIR = Quorum(("finance", "manager"), 2)


class Asked(TypedDict):
    case: str
    number: int
    how: Literal["add", "press"]


class State(Asked):
    proposal: NotRequired[Proposal | None]
    decision: NotRequired[Decision | None]
    receipt: NotRequired[dict[str, JsonValue] | None]
    problem: NotRequired[Problem | None]
    outcome: NotRequired[str]


def draft(state: State) -> Draft:
    return {
        "args": {"case": state["case"], "number": state["number"]},
        "facts": {},
        "summary": f"Count {state['number']}",
        "reason": "",
        "evidence": [],
        "diff": [],
    }


async def close(state: State) -> dict[str, object]:
    return {"outcome": "completed" if state.get("receipt") else "rejected"}


async def hand_off(state: State) -> dict[str, object]:
    return {"outcome": "handed_off"}


def after_start(state: State) -> Literal["freeze_add", "freeze_press"]:
    return "freeze_add" if state["how"] == "add" else "freeze_press"


def _rules(tool: AnyTool) -> tuple[Rule, ...]:
    name = tool.name
    return (
        allow(f"free-{name}", name, why="Small."),
        require_approval(f"one-{name}", name, above("number", FREE), role="finance", within_s=HOUR_S, why="Larger."),
        require_approval(f"two-{name}", name, above("number", ONE), quorum=PAIR, within_s=2 * HOUR_S, why="Large."),
        deny(f"none-{name}", name, above("number", TWO), why="Too large."),
    )


POLICY = Policy(
    owner="tests",
    purpose="Be driven in any order.",
    tools=(add, press),
    rules=(*_rules(add), *_rules(press)),
    budget=Budget(tool_calls=1_000, model_calls=1, seconds=600),
    queue=Queue("disorder", target_s=HOUR_S, escalation=(Level("owner", HOUR_S // 2, role="owner"),)),
    roles=("finance", "manager", "owner"),
)


def make_workflow() -> Workflow:
    flow = StateGraph(State, context_schema=Context, input_schema=Asked)
    for tool in (add, press):
        name = tool.run.__name__
        freeze, gate, act = f"freeze_{name}", f"gate_{name}", f"act_{name}"
        flow.add_node(freeze, **proposes(tool, draft))
        flow.add_node(gate, **approval_gate(tool))
        flow.add_node(act, **carries_out(tool, into="receipt"))
        flow.add_edge(freeze, gate)
        leads: Any = on_decision(approve=act, respond=freeze, reject="close", expired="close")
        flow.add_conditional_edges(gate, **leads)
        flow.add_conditional_edges(act, unless_stuck("close"))
    flow.add_node("close", close)
    flow.add_node("hand_off", hand_off)
    flow.add_conditional_edges(START, after_start)
    flow.add_edge("close", END)
    flow.add_edge("hand_off", END)
    graph = flow.compile(name="disorder")
    nothing: dict[str, Any] = {"prompts": {}, "stand_ins": {}, "manifest": {}}
    return Workflow(name="disorder", graph=graph, policy=POLICY, stages=stages_of(graph), version="v1", **nothing)
