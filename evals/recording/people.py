"""What people answered in a case, as a script: decisions as they took them, edits with what changed, and silence."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts.approval import JsonObject
from contracts.errors import CaseNotRecordable
from contracts.event import Event
from evals.recording.ended_case import Record

_POLICY = "policy:"


def name_of(principal: str) -> str:
    """A principal without the word for what it signs in with."""
    return principal.partition(":")[2] or principal


def answers_in(records: Sequence[Record]) -> list[JsonObject]:
    """The answers of a `case.yaml`, in order. Raises `CaseNotRecordable` for a decision that no script has."""
    return list(_answers(records))


def _answers(records: Sequence[Record]) -> Iterator[JsonObject]:
    frozen = {r["data"]["request_id"]: r["data"] for r in records if r["event"] == Event.ACTION_FROZEN}
    for record in records:
        data = record["data"]
        match record["event"]:
            case Event.QUESTION_ANSWERED:
                yield {"type": "answer", "text": data["answer"]}
            case Event.APPROVAL_VOTED:
                yield {"type": "approve", "by": name_of(record["actor"])}
            case Event.APPROVAL_DECIDED if not str(data["by"]).startswith(_POLICY):
                yield _decision(data, name_of(record["actor"]), frozen[data["decided_request"]])


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
