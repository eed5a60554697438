"""The bounded agent loop: a model chooses one move from a closed list, and code decides what becomes of it.

The model's reply is its move and nothing else: it names a tool that the stage offers, with arguments that fit, or words
for the requester. It writes no other state, and whoever it says has agreed to something has not agreed by that.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, cast

from langgraph.runtime import Runtime
from langgraph.types import interrupt
from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model
from typing_extensions import TypedDict

from contracts.approval import Draft, JsonObject, says_yes
from contracts.context import Context
from contracts.errors import GatehouseError, PolicyDenied, ToolRefused
from contracts.tool import AnyTool, ToolModel
from nodes.kinds import Node, says
from nodes.recovery import or_hand_off

MOST_TURNS = 10
"""So often a model is asked without anything coming of it; then a person takes the case."""
SAY, FINISH = "say", "finish"
_LONGEST_SPEECH = 2000


class Spoken(TypedDict):
    """One entry of a conversation."""

    who: Literal["requester", "assistant", "tool"]
    says: str
    """Words; of a tool, what it was asked and what came of it, as JSON."""


class Move(TypedDict):
    """What a model wants to do next."""

    use: str
    """The name of a tool, `say` or `finish`."""
    args: JsonObject
    text: str


@dataclass(frozen=True)
class Offer:
    """A tool that a model may name, and the arguments that it may give."""

    tool: AnyTool
    args: type[BaseModel] | None = None
    """None: the tool's own request. A write takes fewer: versions and sums are read and worked out by code."""

    @property
    def takes(self) -> type[BaseModel]:
        return self.args or self.tool.request


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Speech = Annotated[str, Field(min_length=1, max_length=_LONGEST_SPEECH)]


class Say(_Part):
    use: Literal["say"]
    text: _Speech


class Finish(_Part):
    use: Literal["finish"]
    text: _Speech


def turn_of(name: str, offers: Sequence[Offer]) -> type[BaseModel]:
    """The type of a model's reply: `move` is one of the offers, words, or the end of the conversation."""
    moves: list[type[BaseModel]] = [Say, Finish]
    for offer in offers:
        title = "".join(part.capitalize() for part in offer.tool.name.replace(".", "_").split("_"))
        use: Any = Literal[offer.tool.name]
        moves.append(create_model(title, __base__=_Part, use=(use, ...), args=(offer.takes, ...)))
    choice: Any = Annotated[Union[tuple(moves)], Field(discriminator="use")]  # noqa: UP007  # made of a list
    return create_model(name, __base__=_Part, move=(choice, ...))


def takes_turn(prompt: str, name: str, *offers: Offer) -> Node:
    """A stage that asks a model for its next `move` in the `conversation` among these offers, and counts `turns`."""
    returns, tools = turn_of(name, offers), {offer.tool.name: offer.tool.summary for offer in offers}

    async def take_turn(state: Mapping[str, Any], runtime: Runtime[Context]) -> dict[str, object]:
        reply = await runtime.context.models.ask(
            prompt, returns, conversation=state["conversation"], tools=cast(JsonObject, tools)
        )
        chosen = reply.value.model_dump(mode="json")["move"]
        move: Move = {"use": chosen["use"], "args": chosen.get("args", {}), "text": chosen.get("text", "")}
        return {"move": move, "turns": state["turns"] + 1, "answered_by": reply.answered_by}

    return {"action": or_hand_off(take_turn), **says("model", *(offer.tool for offer in offers), prompt=prompt)}


def looks_up(tools: Collection[AnyTool], notes: Callable[[Any, str, ToolModel], dict[str, object]]) -> Node:
    """A stage that makes the read that `move` names and adds what came of it to the `conversation`.

    `notes(state, tool name, reply)` is what else follows from a reply. A refusal, by the system or by policy, is
    something to hear and go on from; a system that is down is a `problem`.
    """
    by_name = {tool.name: tool for tool in tools}

    async def look_up(state: Mapping[str, Any], runtime: Runtime[Context]) -> dict[str, object]:
        move = state["move"]
        tool = by_name[move["use"]]
        try:
            reply = await runtime.context.tools.call(tool, tool.request.model_validate(move["args"]))
        except (PolicyDenied, ToolRefused) as error:
            return hear(state, tool.name, move["args"], refusal(error))
        return hear(state, tool.name, move["args"], reply.model_dump(mode="json")) | notes(state, tool.name, reply)

    return {"action": or_hand_off(look_up), **says("read", *tools)}


def proposes_move(drafts: Mapping[AnyTool, Callable[[Any], Draft]], *, into: str = "proposal") -> Node:
    """A stage that drafts the write that `move` names, has policy judge it once, and keeps it frozen in `into`."""
    by_name = {tool.name: (tool, draft) for tool, draft in drafts.items()}

    async def propose(state: Mapping[str, Any], runtime: Runtime[Context]) -> dict[str, object]:
        tool, draft = by_name[state["move"]["use"]]
        return {into: await runtime.context.gates.freeze(tool, draft(state)), "decision": None, "confirmed": False}

    return {"action": propose, **says("proposal", *drafts)}


def confirms(question: Callable[[Any], str], *, proposal: str = "proposal") -> Node:
    """A stage that shows the requester the frozen `proposal` and keeps whether they said yes in `confirmed`.

    What they said instead goes into the `conversation`. The gateway reads the answer from its own row: `confirmed` only
    says which way to go.
    """

    async def confirm(state: Mapping[str, Any], runtime: Runtime[Context]) -> dict[str, object]:
        context, frozen = runtime.context, state[proposal]
        shown = question(state)
        answer = interrupt(await context.gates.question(shown, confirms=frozen["request_id"]))
        confirmed = says_yes(answer["text"]) and answer["by"] == context.case.requester
        return {"confirmed": confirmed, **_exchange(state, shown, answer["text"])}

    return {"action": confirm, **says("clarification")}


def converses() -> Node:
    """A stage that says what `move` holds to the requester and adds their answer to the `conversation`."""

    async def ask(state: Mapping[str, Any], runtime: Runtime[Context]) -> dict[str, object]:
        said = state["move"]["text"]
        answer = interrupt(await runtime.context.gates.question(said))
        return _exchange(state, said, answer["text"])

    return {"action": ask, **says("clarification")}


def after_turn(
    tools: Collection[AnyTool], most: int = MOST_TURNS, /, **made_at: str
) -> Callable[[Mapping[str, Any]], str]:
    """A router to where a `move` is made: by its tool's contract. To `stuck` after the `most` turns without an outcome.

    `made_at` names the stages that `read`, `write`, `say` and `finish`, and the one for who is `stuck`. The router's
    annotation names every destination, so that LangGraph draws them.
    """
    read, write, say, finish, stuck = (made_at[name] for name in ("read", "write", SAY, FINISH, "stuck"))
    leads = {tool.name: write if tool.writes else read for tool in tools} | {SAY: say, FINISH: finish}

    def after_move(state: Mapping[str, Any]) -> str:
        use = state["move"]["use"]
        return leads[use] if use == FINISH or state["turns"] < most else stuck

    after_move.__annotations__ = {"return": Literal[read, write, say, finish, stuck]}
    return after_move


def hear(state: Mapping[str, Any], tool: str, asked: JsonObject, result: JsonValue) -> dict[str, object]:
    """The conversation with what came of a call."""
    heard: JsonObject = {"tool": tool, "args": asked, "result": result}
    entry: Spoken = {"who": "tool", "says": json.dumps(heard, ensure_ascii=False, separators=(",", ":"))}
    return {"conversation": [*state["conversation"], entry]}


def refusal(error: GatehouseError) -> JsonObject:
    """A failed call as a model hears it."""
    return {
        "error": {
            "category": error.category,
            "message": error.detail,
            "hint": error.hint,
            "retryable": error.retryable,
        }
    }


def _exchange(state: Mapping[str, Any], said: str, answer: str) -> dict[str, object]:
    """Somebody has answered: the loop begins to count anew."""
    spoken: list[Spoken] = [{"who": "assistant", "says": said}, {"who": "requester", "says": answer}]
    return {"conversation": [*state["conversation"], *spoken], "turns": 0}
