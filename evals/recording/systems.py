"""What outside systems answered in a case, made of its audit trail."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar, cast

from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.event import Event
from evals.recording.ended_case import EndedCase, Record
from evals.recording.people import name_of
from evals.tool_traffic import THREAD, Answered

_Value = TypeVar("_Value", bound=JsonValue)


def tool_traffic(case: EndedCase) -> list[Answered]:
    """The last answer of each call in the order in which they began, and what had changed where an approval lapsed.

    A call that was only accepted, to be sent later, is sent by nobody in an eval: it needs no answer.
    """
    ended = {r["data"]["call_key"]: r["data"] for r in case.records if r["event"] == Event.CALL_FINISHED}
    made: dict[str, Answered] = {}
    for number, record in enumerate(case.records):
        data = record["data"]
        if record["event"] == Event.CALL_STARTED and data["effect"] != "outbox":
            made[data["call_key"]] = _answered(case, data["tool"], data["args"], ended.get(data["call_key"], {}))
        elif record["event"] == Event.APPROVAL_SUPERSEDED and data.get("changed"):
            now = {name: change["now"] for name, change in data["changed"].items()}
            tool, args = _approved(case.records, data["request_id"])
            made[f"reread {number}"] = Answered(tool, args, "reread", reply=now)
    told = (answered for answered in made.values() if answered.reply is not None or answered.error)
    return [replace(one, args=portable(case, one.args), reply=portable(case, one.reply)) for one in told]


def portable(case: EndedCase, value: _Value) -> _Value:
    """Masked, and without what is another thing each time that the case is played: its thread, how one signs in."""
    said = json.dumps(case.masked(value)).replace(case.run.thread_id, THREAD)
    own = case.run.requester
    return cast(_Value, json.loads(said.replace(json.dumps(own)[1:-1], f"key:{name_of(own)}")))


def _answered(case: EndedCase, tool: str, args: JsonObject, ending: JsonObject) -> Answered:
    error, reply = ending.get("error"), ending.get("result")
    if isinstance(error, dict):
        code = str(error.get("code", "tool_outcome_unknown"))
        return Answered(tool, args, error=code, detail=case.masked(str(error.get("detail", ""))))
    return Answered(tool, args, reply=reply if isinstance(reply, dict) else None)


def _approved(records: Sequence[Record], request_id: str) -> tuple[str, JsonObject]:
    """The call that a request allows; one that was edited allows what it was edited to."""
    asked = {r["data"]["request_id"]: r["data"] for r in records if r["event"] == Event.ACTION_FROZEN}
    for record in records:
        data = record["data"]
        if record["event"] == Event.APPROVAL_DECIDED and data.get("request_id") == request_id:
            return asked[data["decided_request"]]["tool"], data["args"]
    return asked[request_id]["tool"], asked[request_id]["args"]
