"""Stages that wait for people: an action frozen, a gate, a question."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, cast

from langgraph.runtime import Runtime
from langgraph.types import interrupt
from typing_extensions import TypedDict

from contracts.approval import DecisionType, Draft
from contracts.context import Context
from contracts.tool import AnyTool
from nodes.kinds import Node, says


def proposes(tool: AnyTool, draft: Callable[[Any], Draft], *, into: str = "proposal") -> Node:
    """A stage that drafts a call of `tool` from the state, has policy judge it once, and keeps it frozen in `into`."""

    async def propose(state: Mapping[str, Any], runtime: Runtime[Context]) -> dict[str, object]:
        return {into: await runtime.context.gates.freeze(tool, draft(state))}

    return {"action": propose, **says("proposal", tool)}


def approval_gate(*tools: AnyTool, proposal: str = "proposal", decision: str = "decision") -> Node:
    """A stage that waits until the frozen `proposal` to call one of `tools` is decided, and keeps the `decision`.

    It only waits: LangGraph runs it again from its top when the run resumes. What it was resumed with is a wake-up
    and nothing more; the decision is read from its own row. After an edit, `proposal` is the edited action.
    """

    async def wait(state: Mapping[str, Any], runtime: Runtime[Context]) -> dict[str, object]:
        gates, frozen = runtime.context.gates, state[proposal]
        if frozen["verdict"] == "require_approval":
            card = await gates.card(frozen["request_id"])
            schema = cast("dict[str, Any]", card.pop("response_schema"))
            interrupt(card, response_schema=schema)
        decided = await gates.decision(frozen["request_id"])
        covered = {name: decided[name] for name in ("request_id", "args", "action_digest")}
        return {decision: decided, proposal: {**frozen, **covered}}

    return {"action": wait, **says("gate", *tools)}


def clarification(question: Callable[[Any], str], *, into: str) -> Node:
    """A stage that asks the requester what `question` makes of the state, and keeps the answer's text in `into`.

    An interrupt of its own kind: an answer authorises nothing.
    """

    async def ask(state: Mapping[str, Any], runtime: Runtime[Context]) -> dict[str, object]:
        answer = interrupt(await runtime.context.gates.question(question(state)))
        return {into: answer["text"]}

    return {"action": ask, **says("clarification")}


class Edges(TypedDict):
    """Keyword arguments of `StateGraph.add_conditional_edges`."""

    path: Callable[[Any], str]
    path_map: dict[Hashable, str]


def on_decision(*, approve: str, respond: str, reject: str, expired: str, of: str = "decision") -> Edges:
    """Where each way to end a request leads; an edited action goes where an approved one goes."""

    def after_decision(state: Mapping[str, Any]) -> str:
        decided = state.get(of)
        kind: DecisionType = decided["type"] if decided else "expired"  # without a decision nothing is done
        return kind

    leads: dict[Hashable, str] = {
        "approve": approve,
        "edit": approve,
        "respond": respond,
        "reject": reject,
        "expired": expired,
    }
    return {"path": after_decision, "path_map": leads}
