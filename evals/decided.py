"""What people decided in cases: kept with their results, written as examples, compared between two runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any

from contracts.approval import JsonObject
from contracts.event import AuditRecord, Event
from engine.approvals.model import DECISION_OF, ApprovalRequest
from engine.operations.examples import Example, masked, write_examples
from evals.results import RanCases, Turn

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_BY_PEOPLE = ("approved", "edited", "rejected", "responded")


@dataclass(frozen=True)
class ChangedDecisions:
    """What has become of the decisions of one run in another one."""

    by_people: int = 0
    """Decisions in the run before, over the cases that both have."""
    changed: tuple[str, ...] = ()
    """Cases, once for each decision that was about another call, or was not asked for any more."""
    asked_anew: tuple[str, ...] = ()
    """Cases, once for each decision that is asked for now and was not."""

    def as_json(self) -> JsonObject:
        return {"by_people": self.by_people, "changed": [*self.changed], "asked_anew": [*self.asked_anew]}


def decisions_in(requests: Sequence[ApprovalRequest], records: Sequence[AuditRecord]) -> tuple[JsonObject, ...]:
    """What people decided in a case, in order; `records` are the case's."""
    edited: Mapping[Any, Any] = {
        record["data"].get("decided_request"): record["data"].get("args")
        for record in records
        if record["event"] == Event.APPROVAL_DECIDED
    }
    decided = [one for one in requests if one.status in _BY_PEOPLE]
    return tuple(_decision(one, edited.get(one.id)) for one in decided)


def write_decisions(ran: RanCases, file: Path) -> int:
    """Write the decisions of a run as examples, of each case those of its first turn; how many."""
    decided = [(turns[0], one) for turns in ran.by_case.values() for one in turns[0].decisions]
    examples = [_example(turn, one, nth) for nth, (turn, one) in enumerate(decided)]
    write_examples(file, examples)
    return len(examples)


def changed_decisions(before: RanCases, after: RanCases) -> ChangedDecisions:
    """What a run would have changed of what people decided in the one before, case by case in order.

    A decision stands where the same tool was to be called with the same arguments.
    """
    old, new = before.by_case, after.by_case
    by_people, changed, anew = 0, [], []
    for name in sorted(old.keys() & new.keys()):
        by_people += len(old[name][0].decisions)
        for was, now in zip_longest(old[name][0].decisions, new[name][0].decisions):
            if was is None:
                anew.append(name)
            elif now is None or (was["tool"], was["args"]) != (now["tool"], now["args"]):
                changed.append(name)
    return ChangedDecisions(by_people, tuple(changed), tuple(anew))


def _decision(request: ApprovalRequest, edited: JsonObject | None) -> JsonObject:
    type_ = DECISION_OF[request.status]
    said: JsonObject = {
        "tool": request.tool,
        "rule": request.rule,
        "args": request.args,
        "facts": request.facts,
        "host": request.host,
        "decision": type_,
        "edited": edited if type_ == "edit" else None,
        "reason_code": request.reason_code,
        "reason": request.reason or request.message,
        "by": request.decided_by or "",
    }
    kept: JsonObject = masked(said)
    return kept


def _example(turn: Turn, decision: JsonObject, nth: int) -> Example:
    """A case happens at no time, and decisions are told in an order: one a minute, from 1970 on."""
    where = {"workflow": turn.workflow, "case": turn.name, "request": f"{turn.name}/{nth}"}
    return Example.model_validate({**decision, **where, "at": _NO_TIME + timedelta(minutes=nth)})
