"""What people answered in a case, as a script: decisions as they took them, edits with what changed, and silence."""

from collections.abc import Iterator, Mapping
from typing import Any

from contracts.approval import JsonObject
from contracts.errors import CaseNotRecordable
from contracts.event import Event
from evals.recording.ended_case import EndedCase

_POLICY = "policy:"


def name_of(principal: str) -> str:
    """A principal without the word for what it signs in with."""
    return principal.partition(":")[2] or principal


def answers_in(case: EndedCase) -> list[JsonObject]:
    """The answers of a `case.yaml`, in order. Raises `CaseNotRecordable` for a decision that no script has."""
    return list(_answers(case))


def _answers(case: EndedCase) -> Iterator[JsonObject]:
    frozen = {r["data"]["request_id"]: r["data"] for r in case.records if r["event"] == Event.ACTION_FROZEN}
    for record in case.records:
        data, actor = record["data"], record["actor"]
        match record["event"]:
            case Event.QUESTION_ANSWERED:
                yield {"type": "answer", "text": data["answer"]}
            case Event.APPROVAL_VOTED:
                yield {"type": "approve", "by": name_of(actor), **_held(case, data["request_id"], actor)}
            case Event.APPROVAL_DECIDED if not str(data["by"]).startswith(_POLICY):
                asked = data["decided_request"]
                yield _decision(data, name_of(actor), frozen[asked]) | _held(case, asked, actor)


def _held(case: EndedCase, request_id: str, by: str) -> JsonObject:
    """The roles of one of several who had to agree; else a case's reviewer holds what the request asks for."""
    roles = case.seats.get((request_id, by))
    return {"holds": [*roles]} if roles else {}


def _decision(data: Mapping[str, Any], by: str, asked: Mapping[str, Any]) -> JsonObject:
    reason: JsonObject = {"reason": data["reason"]} if data.get("reason") else {}
    match data["type"]:
        case "approve":
            return {"type": "approve", "by": by, **reason}
        case "edit":
            changed = {name: value for name, value in data["args"].items() if asked["args"].get(name) != value}
            return {"type": "edit", "by": by, "args": changed, **reason}
        case "reject":
            return {"type": "reject", "by": by, "message": data.get("message", ""), **reason}
        case "respond":
            return {"type": "respond", "by": by, "message": data.get("message", ""), **reason}
        case "expired":
            return {"type": "expire"}
        case other:
            raise CaseNotRecordable(f"A request of the case ended as {other!r}, and a case has no such answer.")
