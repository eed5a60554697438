"""What becomes of a change that an assistant proposed, and how its conversation ends, for any agent loop."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from contracts.approval import JsonObject
from nodes.agent import hear
from nodes.conversation import FORGOTTEN

Settled = Literal["approve_change", "make_change", "note_outcome"]


def notes_outcome(
    summary_of: Callable[[str, JsonObject], str], after: Callable[[Any, JsonObject], dict[str, object]]
) -> Callable[[Any], dict[str, object]]:
    """A stage that tells the assistant what became of its `proposal`, and forgets it.

    What was done is added to `done`; `after(state, receipt)` is what else follows from it.
    """

    def note_outcome(state: Mapping[str, Any]) -> dict[str, object]:
        proposal, receipt = state["proposal"], state["receipt"]
        result = receipt if receipt else {"error": _why_not_done(state)}
        update = hear(state, proposal["tool"], state["move"]["args"], cast(JsonObject, result))
        update |= dict.fromkeys(FORGOTTEN) | {"confirmed": False}
        if receipt:
            done = [*state["done"], summary_of(proposal["tool"], proposal["args"])]
            update |= {"done": done, "turns": 0, **after(state, receipt)}
        return update

    return note_outcome


def after_freeze(state: Any) -> Literal["confirm_change", "note_outcome"]:
    """To the customer, unless policy denies it."""
    return "note_outcome" if state["proposal"]["verdict"] == "deny" else "confirm_change"


def after_confirmation(state: Any) -> Settled:
    """To a reviewer once the customer agreed; straight to the call where one has decided before."""
    if not state["confirmed"]:
        return "note_outcome"
    return "make_change" if state["decision"] else "approve_change"


def after_approval(state: Any) -> Literal["make_change", "confirm_change", "note_outcome", "close"]:
    """By what the reviewer said: what they edited is confirmed once more."""
    match state["decision"]["type"] if state["decision"] else "expired":
        case "approve":
            return "make_change"
        case "edit":
            return "confirm_change"
        case "respond" | "reject":
            return "note_outcome"
        case _:
            return "close"


def why_handed_off(state: Mapping[str, Any]) -> str:
    """Why a person is to take over: a failure, the assistant's wish, or a loop without an end."""
    problem, move = state.get("problem"), state.get("move")
    if problem:
        return f"{problem['stage']} failed ({problem['code']}): {problem['detail']}"
    if move and "summary" in move["args"]:
        return f"The assistant asks for a person: {move['args']['summary']}"
    wanted = f" It was about to {move['use']}." if move else ""
    return f"The assistant came to no end in {state.get('turns')} turns.{wanted}"


def so_far(done: list[str]) -> str:
    """What was done in a conversation, as one sentence."""
    return f"Done: {'; '.join(done)}." if done else "Nothing was changed."


def _why_not_done(state: Mapping[str, Any]) -> JsonObject:
    proposal, decision, drift = state["proposal"], state["decision"], state["drift"]
    if proposal["verdict"] == "deny":
        return _said("policy_denied", proposal["why"], "Do not try the same again; say why, or do what is allowed.")
    if drift:
        return _said("precondition_changed", drift["detail"], "Read it again, and propose what is right by now.")
    if decision:
        said = decision["message"] or decision["reason"]
        return _said(f"reviewer_{decision['type']}", f"A reviewer did not agree. {said}".strip(), "Tell the customer.")
    return _said("not_confirmed", "The customer did not answer yes.", "Read their answer and go on from it.")


def _said(code: str, message: str, hint: str) -> JsonObject:
    return {"code": code, "category": "logic", "message": message, "hint": hint, "retryable": False}
