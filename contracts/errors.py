"""Every error Gatehouse raises on purpose, on one page.

A class docstring is the title an operator reads. `code` is stable, `status` is the HTTP answer, `category` says who
recovers: the model is asked again, the tool retried, a logic error refused. Expected conflicts are 4xx.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

Category = Literal["model", "tool", "logic", "access", "engine"]


class GatehouseError(Exception):
    """Gatehouse could not go on."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    category: ClassVar[Category] = "engine"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, hint: str = "", facts: Mapping[str, object] | None = None) -> None:
        """`detail` says what happened and where, `hint` what to do, `facts` become members of the HTTP problem."""
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.facts = dict(facts or {})

    @property
    def title(self) -> str:
        return (type(self).__doc__ or self.code).strip().splitlines()[0].rstrip(".")


class MalformedBody(GatehouseError):
    """The request body is not valid JSON."""

    code, status, category = "malformed_body", 400, "logic"


class BodyTooLarge(GatehouseError):
    """The request body is larger than the server accepts."""

    code, status, category = "body_too_large", 413, "logic"


class InvalidRequest(GatehouseError):
    """The request does not fit its schema."""

    code, status, category = "invalid_request", 422, "logic"


class DocumentRefused(GatehouseError):
    """The document does not describe an API that tools could be made of."""

    code, status, category = "document_refused", 422, "logic"


class NotNarrow(DocumentRefused):
    """An operation cannot become a narrow tool."""

    code = "not_narrow"


class WebhookRefused(GatehouseError):
    """Nothing is sent to this address."""

    code, status, category = "webhook_refused", 422, "logic"


class NotDelivered(GatehouseError):
    """A message was not taken by its receiver."""

    code, status, category = "not_delivered", 502, "tool"


class NotSupported(GatehouseError):
    """This server does not offer that operation."""

    code, status, category = "not_supported", 422, "logic"


class Unauthenticated(GatehouseError):
    """The request carries no valid API key or token."""

    code, status, category = "unauthenticated", 401, "access"


class TooManyAttempts(GatehouseError):
    """Too many requests carried credentials that are not valid."""

    code, status, category, retryable = "too_many_attempts", 429, "access", True


class IssuerUnavailable(GatehouseError):
    """The identity provider that issued the token does not answer."""

    code, status, category, retryable = "issuer_unavailable", 503, "access", True


class Forbidden(GatehouseError):
    """The key's owner may not do this."""

    code, status, category = "forbidden", 403, "access"


class MessageRefused(GatehouseError):
    """A signed message starts nothing."""

    code, status, category = "message_refused", 403, "access"


class RightsMissing(GatehouseError):
    """Whoever asked for this may not have it done, or not any more."""

    code, status, category = "rights_missing", 403, "access"


class BypassRefused(GatehouseError):
    """The call would move a governed run past its gate."""

    code, status, category = "bypass_refused", 403, "access"


class NotFound(GatehouseError):
    """There is no such object, or not for this key."""

    code, status, category = "not_found", 404, "logic"


class MethodNotAllowed(GatehouseError):
    """The route is not served with that method."""

    code, status, category = "method_not_allowed", 405, "logic"


class AlreadyExists(GatehouseError):
    """An object with this id exists already."""

    code, status, category = "already_exists", 409, "logic"


class SystemOwned(GatehouseError):
    """The object belongs to the server and cannot be changed."""

    code, status, category = "system_owned", 409, "logic"


class InUse(GatehouseError):
    """Something else still needs this object."""

    code, status, category = "in_use", 409, "logic"


class ThreadBusy(GatehouseError):
    """The thread is at work and this call may not wait, or the run has ended before it."""

    code, status, category = "thread_busy", 409, "logic"


class CannotRollBack(GatehouseError):
    """The run has acted and cannot be made undone."""

    code, status, category = "cannot_roll_back", 409, "logic"


class GateOpen(GatehouseError):
    """The thread waits for a decision and takes no other input."""

    code, status, category = "gate_open", 409, "logic"


class NothingToResume(GatehouseError):
    """The thread has no open request that this answer could belong to."""

    code, status, category = "nothing_to_resume", 409, "logic"


class AmbiguousResume(GatehouseError):
    """The answer does not say which request it belongs to."""

    code, status, category = "ambiguous_resume", 409, "logic"


class AlreadyDecided(GatehouseError):
    """Somebody decided this request before."""

    code, status, category = "already_decided", 409, "logic"


class HeldByAnother(GatehouseError):
    """Somebody else has claimed this request, or it was assigned to them."""

    code, status, category = "held_by_another", 409, "logic"


class NotClaimed(GatehouseError):
    """Nobody has this request."""

    code, status, category = "not_claimed", 409, "logic"


class NotOneClass(GatehouseError):
    """These requests cannot be decided in one batch."""

    code, status, category = "not_one_class", 422, "logic"


class CannotUndo(GatehouseError):
    """This cannot be taken back."""

    code, status, category = "cannot_undo", 409, "logic"


class NoHigherLevel(GatehouseError):
    """There is nobody further up to whom this request could go."""

    code, status, category = "no_higher_level", 409, "logic"


class AlreadySettled(GatehouseError):
    """What became of this effect is known, or was found out by somebody else."""

    code, status, category = "already_settled", 409, "logic"


class ApprovalSuperseded(GatehouseError):
    """The request was replaced by a newer one."""

    code, status, category = "approval_superseded", 409, "logic"


class ApprovalExpired(GatehouseError):
    """The time to decide has passed, which means rejected."""

    code, status, category = "approval_expired", 409, "logic"


class StageContractBroken(GatehouseError):
    """A stage got or returned what its contract does not allow."""

    code, status, category = "stage_contract_broken", 500, "logic"


class DigestMismatch(GatehouseError):
    """The action is not the one that was shown."""

    code, status, category = "digest_mismatch", 409, "logic"


class InvalidDecision(GatehouseError):
    """The decision does not fit what the request allows."""

    code, status, category = "invalid_decision", 422, "logic"


class ApprovalRequired(GatehouseError):
    """The effect needs an approval that nobody gave."""

    code, status, category = "approval_required", 403, "logic"


class NotConfirmed(GatehouseError):
    """The requester has not confirmed exactly this action."""

    code, status, category = "not_confirmed", 403, "logic"


class PolicyDenied(GatehouseError):
    """Policy does not allow this action, approved or not."""

    code, status, category = "policy_denied", 403, "logic"


class ToolNotGranted(GatehouseError):
    """The stage is not allowed to call this tool."""

    code, status, category = "tool_not_granted", 403, "logic"


class UnknownTool(ToolNotGranted):
    """There is no tool of that name here."""

    code = "unknown_tool"


class InvalidArguments(InvalidRequest):
    """The arguments do not fit what the tool takes."""

    code = "invalid_arguments"


class DivergentExecution(GatehouseError):
    """A repeated stage asked for something else than it did the first time."""

    code, status, category = "divergent_execution", 409, "logic"


class QueueFull(GatehouseError):
    """Reviewers have as many cases before them as they can take."""

    code, status, category, retryable = "queue_full", 429, "logic", True


class BudgetExceeded(GatehouseError):
    """The run has used up its budget."""

    code, status, category = "budget_exceeded", 429, "logic"


class LoopDetected(BudgetExceeded):
    """The run goes round in circles; a person takes it up."""

    code = "loop_detected"


class RepeatedFailure(BudgetExceeded):
    """The same call has failed too often in this case."""

    code = "repeated_failure"


class SwitchedOff(GatehouseError):
    """Somebody has switched this off; two people together switch it on again."""

    code, status, category = "switched_off", 403, "access"


class TooManyRequests(GatehouseError):
    """The caller sends more requests than its share."""

    code, status, category, retryable = "too_many_requests", 429, "access", True


class ToolError(GatehouseError):
    """A tool call failed."""

    code, status, category = "tool_failed", 502, "tool"


class ToolUnavailable(ToolError):
    """The outside system did not answer, and nothing was changed there."""

    code, retryable = "tool_unavailable", True


class HeldUp(ToolUnavailable):
    """The worker was held up for too long between a call's ledger row and its sending, so it was not sent."""

    code = "held_up"


class ToolRefused(ToolError):
    """The outside system refused the call."""

    code = "tool_refused"


class ToolOutcomeUnknown(ToolError):
    """The call was sent, and nobody knows whether it took effect."""

    code = "tool_outcome_unknown"


class ToolSwitchedOff(ToolError):
    """Somebody has switched this tool off; two people together switch it on again."""

    code, status = "tool_switched_off", 403


class RateLimited(ToolError):
    """The call would come too soon after others; nothing was sent."""

    code, status, retryable = "rate_limited", 429, True


class CircuitOpen(ToolError):
    """The outside system has failed too often lately; nothing was sent."""

    code, status, retryable = "circuit_open", 503, True


class ToolQuarantined(ToolError):
    """The tool is not what it was when a person looked at it; nothing was called."""

    code, status = "tool_quarantined", 409


class PreconditionsChanged(ToolError):
    """What the approval was given upon has changed; nothing was done."""

    code, status = "precondition_changed", 409


class ToolReplyInvalid(ToolError):
    """The tool's reply does not fit its contract."""

    code = "tool_reply_invalid"


class ModelError(GatehouseError):
    """A model call failed."""

    code, status, category = "model_failed", 502, "model"


class ModelUnavailable(ModelError):
    """The model endpoint did not answer."""

    code, retryable = "model_unavailable", True


class ModelUnreadable(ModelError):
    """What the model's endpoint sent was no answer, or broke off before its end."""

    code, retryable = "model_unreadable", True


class ContextTooLarge(ModelError):
    """The stage gives its model more to read than it may; nothing was sent."""

    code, status = "context_too_large", 422


class ResidencyRefused(ModelError):
    """No model is allowed to see this case's data; nothing was sent."""

    code, status = "residency_refused", 403


class ModelRefused(ModelError):
    """The model declined, was cut off or was filtered."""

    code = "model_refused"


class ModelReplyInvalid(ModelError):
    """The model's reply does not fit the schema after the allowed repairs."""

    code = "model_reply_invalid"


class RecordingMissing(ModelError):
    """No recorded reply fits this model call."""

    code = "recording_missing"


class NoModel(ModelError):
    """No model, recording or stand-in is configured for this stage."""

    code = "no_model"


class LeaseLost(GatehouseError):
    """Another worker has taken this run over."""

    code, status, category = "lease_lost", 409, "engine"


class RunGivenUp(GatehouseError):
    """Every worker that carried the run died over it; a person looks at it."""

    code, status, category = "run_given_up", 500, "engine"


class StageGone(GatehouseError):
    """The run waits at a stage that the loaded workflow does not have."""

    code, status, category = "stage_gone", 409, "engine"


class VersionChanged(GatehouseError):
    """The case is pinned to another version of its workflow than the loaded one."""

    code, status, category = "version_changed", 409, "logic"


class VersionDrained(GatehouseError):
    """No new run starts under this version of the workflow."""

    code, status, category = "version_drained", 409, "logic"


class NotCompatible(GatehouseError):
    """The case would not go on as what it was when it was asked about."""

    code, status, category = "not_compatible", 409, "logic"


class NotCarried(GatehouseError):
    """No engine of Gatehouse stands behind this run."""

    code, status, category = "not_carried", 409, "engine"


class SealBroken(GatehouseError):
    """Stored state is not what this installation wrote."""

    code, status, category = "seal_broken", 500, "engine"


class AnchorRefused(GatehouseError):
    """A checkpoint of the audit trail cannot be kept outside the database, or does not follow from what is kept."""

    code, status, category = "anchor_refused", 500, "engine"


class AuditNotSealed(GatehouseError):
    """Records of the audit trail may not be pruned: no seal that holds lets them go, or clocks disagree."""

    code, status, category = "audit_not_sealed", 500, "engine"


class CaseNotRecordable(GatehouseError):
    """No eval case can be made of this run."""

    code, status, category = "case_not_recordable", 409, "logic"


class ExportFailed(GatehouseError):
    """Another house has not taken what was to be exported."""

    code, status, category, retryable = "export_failed", 502, "engine", True


class ConfigurationError(GatehouseError):
    """The configuration cannot work."""

    code, status, category = "configuration_error", 500, "engine"


class ChangedSinceLocked(ConfigurationError):
    """A prompt, tool or policy is not what people have looked at."""

    code = "changed_since_locked"


class InvalidEvalFile(ConfigurationError):
    """A case, a recording or a baseline cannot be read, or is of another workflow or version."""

    code = "invalid_eval_file"


class NotToBePromoted(GatehouseError):
    """The workflow lacks what has to be there before it goes live."""

    code, status, category = "not_to_be_promoted", 409, "logic"


class RiskUnknown(ConfigurationError):
    """Nobody has said yet what a tool may do."""

    code = "risk_unknown"


class SecretMissing(ConfigurationError):
    """A secret that the configuration names cannot be read."""

    code = "secret_missing"


class StoreUnavailable(GatehouseError):
    """The database cannot be reached."""

    code, status, category, retryable = "store_unavailable", 503, "engine", True


class NotReady(GatehouseError):
    """This process cannot do its work now."""

    code, status, category, retryable = "not_ready", 503, "engine", True


class DataFolderRefused(GatehouseError):
    """The data folder is not one this version can open; nothing in it was changed."""

    code, status, category = "data_folder_refused", 500, "engine"


class MigrationRefused(GatehouseError):
    """The database schema is not one this version can bring forward; nothing was changed."""

    code, status, category = "migration_refused", 500, "engine"


class SchemaBehind(GatehouseError):
    """The database schema is older than this version needs."""

    code, status, category = "schema_behind", 503, "engine"


class ServerUnreachable(GatehouseError):
    """The server cannot be reached."""

    code, status, category = "server_unreachable", 502, "engine"


class RefusedByServer(GatehouseError):
    """The server refused the request."""

    code, status, category = "refused_by_server", 502, "logic"
