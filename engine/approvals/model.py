"""An approval request as the engine's rooms hand it to each other."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from contracts.approval import Decision, DecisionType, JsonObject, Proposal, RequestStatus
from contracts.policy import Quorum, Verdict, VerdictType
from engine.audit.audit import Subject

DECISION_OF: dict[RequestStatus, DecisionType] = {
    "approved": "approve",
    "edited": "edit",
    "rejected": "reject",
    "denied": "reject",
    "responded": "respond",
    "expired": "expired",
    "cancelled": "reject",
    "superseded": "reject",
}
STATUS_OF: dict[DecisionType, RequestStatus] = {
    "approve": "approved",
    "edit": "edited",
    "reject": "rejected",
    "respond": "responded",
    "expired": "expired",
}


@dataclass(frozen=True)
class NormalCall:
    """A call whose arguments have passed the tool's schema, so that equal amounts are equal."""

    tool: str
    tool_version: str
    args: JsonObject
    target: str
    preconditions: JsonObject


@dataclass(frozen=True)
class Judged:
    """A call after policy has looked at it."""

    call: NormalCall
    facts: JsonObject
    """As the draft stated them: an edit is judged by the same, measured anew."""
    verdict: Verdict
    policy_version: str
    host: JsonObject = field(default_factory=dict)
    """What the engine knew of the run when it was judged."""


Judge = Callable[[str, JsonObject, JsonObject], Awaitable[Judged]]
"""`(tool name, args, facts)`, in the caller's transaction. Raises `InvalidRequest` for arguments that the tool's schema
refuses."""


@dataclass(frozen=True)
class ApprovalRequest:
    """One row of the approvals table."""

    id: str
    tenant: str
    thread_id: str
    run_id: str
    workflow: str
    version: str
    requester: str
    queue: str
    tool: str
    tool_version: str
    args: JsonObject
    facts: JsonObject
    action_digest: str
    verdict: VerdictType
    rule: str
    why: str
    role: str
    """Who is asked, as people read it; `quorum` is what counts."""
    quorum: Quorum
    policy_version: str
    card: JsonObject
    status: RequestStatus
    stage: str | None
    interrupt_id: str | None
    created_at: datetime
    requested_at: datetime | None
    warn_at: datetime | None
    due_at: datetime | None
    breach_at: datetime | None
    expires_at: datetime | None
    decided_at: datetime | None
    decided_by: str | None
    reason: str
    reason_code: str
    message: str
    replaced_by: str | None
    claimed_by: str | None
    claimed_until: datetime | None
    assigned_to: str | None
    level: int
    escalated_to: tuple[str, ...]
    levels: list[dict[str, str]]
    """The steps of its queue's escalation when it was asked: `to` whom, and with which `role`."""
    warned_at: datetime | None
    breached_at: datetime | None
    host: JsonObject
    """What the engine itself knew when policy judged."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        values = {name: row[name] for name in cls.__dataclass_fields__}
        for name in ("id", "thread_id", "run_id"):
            values[name] = str(row[name])
        values["quorum"] = _quorum(row["quorum"])
        values["escalated_to"] = tuple(row["escalated_to"])
        values["replaced_by"] = str(row["replaced_by"]) if row["replaced_by"] else None
        return cls(**values)

    def subject(self, actor: str) -> Subject:
        """Whom audit records of this request name."""
        return Subject(self.thread_id, self.run_id, actor)

    def proposal(self) -> Proposal:
        return {
            "request_id": self.id,
            "action_digest": self.action_digest,
            "tool": self.tool,
            "args": self.args,
            "verdict": self.verdict,
            "rule": self.rule,
            "why": self.why,
        }

    def decision(self, type_: DecisionType, *, by: str, reason: str, message: str) -> Decision:
        return {
            "type": type_,
            "by": by,
            "reason": reason,
            "message": message,
            "request_id": self.id,
            "args": self.args,
            "action_digest": self.action_digest,
        }


def _quorum(stored: Mapping[str, Any]) -> Quorum:
    return Quorum(tuple(stored["roles"]), stored["needed"], tuple(stored["always"]))
