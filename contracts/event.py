"""What the audit trail records."""

from enum import StrEnum

from pydantic import JsonValue
from typing_extensions import TypedDict


class Event(StrEnum):
    """Kinds of audit records. Values are storage: never renamed."""

    RUN_CREATED = "run.created"
    RUN_CLAIMED = "run.claimed"
    RUN_PARKED = "run.parked"
    RUN_FINISHED = "run.finished"
    RUN_FAILED = "run.failed"
    RUN_CANCEL_ASKED = "run.cancel_asked"
    RUN_CANCELLED = "run.cancelled"
    RUN_MIGRATED = "run.migrated"
    RUN_HELD = "run.held"
    RUN_DELETED = "run.deleted"
    THREAD_CREATED = "thread.created"
    THREAD_CHANGED = "thread.changed"
    THREAD_DELETED = "thread.deleted"
    THREAD_PRUNED = "thread.pruned"
    STATE_EDITED = "state.edited"
    STAGE_FINISHED = "stage.finished"
    ACTION_FROZEN = "action.frozen"
    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_CLAIMED = "approval.claimed"
    APPROVAL_RELEASED = "approval.released"
    APPROVAL_ASSIGNED = "approval.assigned"
    APPROVAL_DELEGATED = "approval.delegated"
    APPROVAL_SUPERSEDED = "approval.superseded"
    APPROVAL_UNDONE = "approval.undone"
    APPROVAL_WARNED = "approval.warned"
    APPROVAL_BREACHED = "approval.breached"
    APPROVAL_ESCALATED = "approval.escalated"
    APPROVAL_VOTED = "approval.voted"
    APPROVAL_DECIDED = "approval.decided"
    APPROVAL_ATTEMPT_REFUSED = "approval.attempt_refused"
    QUEUE_PAUSED = "queue.paused"
    QUEUE_RESUMED = "queue.resumed"
    CANARY_ASKED = "canary.asked"
    CANARY_DECIDED = "canary.decided"
    QUESTION_ASKED = "question.asked"
    QUESTION_ANSWERED = "question.answered"
    CALL_STARTED = "call.started"
    CALL_FINISHED = "call.finished"
    CALL_REFUSED = "call.refused"
    CALL_RESOLVED = "call.resolved"
    OUTCOME_ASKED = "outcome.asked"
    WEBHOOK_ENDED = "webhook.ended"
    WEBHOOK_RETRIED = "webhook.retried"
    MODEL_CALLED = "model.called"
    VERSION_DRAINED = "version.drained"
    VERSION_DRAIN_ENDED = "version.drain_ended"
    ASSISTANT_CREATED = "assistant.created"
    ASSISTANT_CHANGED = "assistant.changed"
    ASSISTANT_DELETED = "assistant.deleted"
    ITEM_PUT = "item.put"
    ITEM_DELETED = "item.deleted"
    SWITCHED_OFF = "switch.off"
    SWITCH_ON_ASKED = "switch.on_asked"
    SWITCHED_ON = "switch.on"
    BREAKER_OPENED = "breaker.opened"
    BREAKER_CLOSED = "breaker.closed"
    REQUESTS_LIMITED = "requests.limited"
    ALARM_RAISED = "alarm.raised"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    PERSON_SEEN = "person.seen"
    PERSON_CHANGED = "person.changed"
    PERSON_BLOCKED = "person.blocked"
    PERSON_UNBLOCKED = "person.unblocked"
    ACCESS_REFUSED = "access.refused"
    SCHEDULE_CREATED = "schedule.created"
    SCHEDULE_CHANGED = "schedule.changed"
    SCHEDULE_DELETED = "schedule.deleted"
    SCHEDULE_FIRED = "schedule.fired"
    SCHEDULE_FAILED = "schedule.failed"


class AuditRecord(TypedDict):
    """One record of a chain, as it is hashed."""

    event: str
    at: str
    """UTC, ISO 8601 with microseconds."""
    run_id: str
    """Empty in chains of what is no case."""
    actor: str
    """Who did it: the agent's service account, a key, policy or the system."""
    data: dict[str, JsonValue]
