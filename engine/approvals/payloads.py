"""What clients send to resume: LangChain's review response and our own form, read into submissions."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from contracts.approval import JsonObject
from contracts.errors import InvalidDecision
from engine.approvals.decisions import Submission


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    action_digest: str | None = Field(None, description="The digest you were shown; a stale one is refused.")
    reason: str = Field("", max_length=1000)


class Approve(_Answer):
    type: Literal["approve"]


class EditedAction(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    args: JsonObject


class Edit(_Answer):
    type: Literal["edit"]
    edited_action: EditedAction


class Reject(_Answer):
    type: Literal["reject"]
    message: str = Field("", max_length=4000)


class Respond(_Answer):
    type: Literal["respond"]
    message: str = Field(min_length=1, max_length=4000)


DecisionBody = Annotated[Approve | Edit | Reject | Respond, Field(discriminator="type")]
_BODY: TypeAdapter[DecisionBody] = TypeAdapter(DecisionBody)


def decision_schema() -> JsonObject:
    """JSON Schema of one decision."""
    return _BODY.json_schema()


def read_decision(value: JsonValue) -> Submission:
    """One decision, bare or as LangChain's `{"decisions": [one]}`. Raises `InvalidDecision` with the schema."""
    if isinstance(value, dict) and isinstance(several := value.get("decisions"), list):
        if len(several) != 1:
            raise _invalid(f"One action waits, and {len(several)} decisions were sent.")
        value = several[0]
    try:
        return submission_of(_BODY.validate_python(value))
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, e['loc'])) or 'decision'}: {e['msg']}" for e in error.errors(include_url=False)
        ]
        raise _invalid(f"This is not a decision: {'; '.join(problems)}") from error


def submission_of(body: DecisionBody) -> Submission:
    """A validated body as the approvals room takes it."""
    digest, reason = body.action_digest, body.reason
    match body:
        case Approve():
            return Submission("approve", digest, reason=reason)
        case Edit():
            edited = body.edited_action
            return Submission("edit", digest, tool=edited.name, args=edited.args, reason=reason)
        case Reject():
            return Submission("reject", digest, reason=reason, message=body.message)
        case Respond():
            return Submission("respond", digest, reason=reason, message=body.message)


def read_answer(value: JsonValue) -> str:
    """The text of an answer to a question: a string, or `{"text": …}`. Raises `InvalidDecision`."""
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str) or not text.strip() or len(text) > 4000:
        raise InvalidDecision(
            "An answer is a text of 1 to 4,000 characters.",
            facts={"schema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}},
        )
    return text


def _invalid(detail: str) -> InvalidDecision:
    return InvalidDecision(
        detail, hint="The request stays open; send a decision of this schema.", facts={"schema": decision_schema()}
    )
