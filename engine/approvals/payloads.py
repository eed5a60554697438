"""What clients send to resume: our own form, LangChain's review response and the older `HumanInterrupt` answers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from contracts.approval import PERSONAL_DECISIONS, JsonObject, ReasonCode
from contracts.errors import InvalidDecision
from engine.approvals.decisions import Submission

_OLDER = ("accept", "edit", "response", "ignore")


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    action_digest: str | None = Field(None, description="The digest you were shown; a stale one is refused.")
    reason: str = Field("", max_length=1000, pattern=r"^[^\x00]*$")


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
    reason_code: ReasonCode = "other"
    message: str = Field("", max_length=4000, pattern=r"^[^\x00]*$")


class Respond(_Answer):
    type: Literal["respond"]
    message: str = Field(min_length=1, max_length=4000, pattern=r"^[^\x00]*$")


DecisionBody = Annotated[Approve | Edit | Reject | Respond, Field(discriminator="type")]
_BODY: TypeAdapter[DecisionBody] = TypeAdapter(DecisionBody)


def decision_schema() -> JsonObject:
    """JSON Schema of one decision."""
    return _BODY.json_schema()


def response_schema(tool: str, request: type[BaseModel], *, edits: bool) -> JsonObject:
    """JSON Schema of a decision about one call: an edit names its tool, and its arguments fit the tool's request."""
    schema: dict[str, Any] = decision_schema()
    if edits:
        args = request.model_json_schema(ref_template="#/$defs/{model}")
        schema["$defs"] |= args.pop("$defs", {})
        schema["$defs"]["EditedAction"]["properties"] |= {"name": {"const": tool, "type": "string"}, "args": args}
    else:
        schema["oneOf"] = [one for one in schema["oneOf"] if not one["$ref"].endswith("/Edit")]
        del schema["$defs"]["Edit"], schema["$defs"]["EditedAction"], schema["discriminator"]["mapping"]["edit"]
    return schema


def dialects(tool: str, args: JsonObject, description: str, *, request_id: str, edits: bool) -> JsonObject:
    """The members by which clients know a request for review, whichever of LangChain's forms they read.

    `action_requests` and `review_configs` are its batched form, `type` to `args` the one per call, and
    `action_request` with `config` the older `HumanInterrupt`. All of them are answered by what `read_decision` takes.
    """
    allowed: list[JsonValue] = [kind for kind in PERSONAL_DECISIONS if edits or kind != "edit"]
    return {
        "action_requests": [{"name": tool, "args": args, "description": description}],
        "review_configs": [{"action_name": tool, "allowed_decisions": allowed}],
        "type": "tool_approval",
        "tool_call_id": request_id,
        "name": tool,
        "args": args,
        "description": description,
        "action_request": {"action": tool, "args": args},
        "config": {"allow_accept": True, "allow_edit": edits, "allow_respond": True, "allow_ignore": True},
    }


def read_decision(value: JsonValue) -> Submission:
    """One decision: bare, as LangChain's `{"decisions": [one]}`, or as an answer to a `HumanInterrupt`.

    Raises `InvalidDecision` with the schema.
    """
    try:
        return submission_of(_BODY.validate_python(_as_ours(_single(value))))
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
            return Submission("reject", digest, reason=reason, reason_code=body.reason_code, message=body.message)
        case Respond():
            return Submission("respond", digest, reason=reason, message=body.message)


def read_answer(value: JsonValue) -> str:
    """The text of an answer to a question: a string, `{"text": …}`, or as to a `HumanInterrupt`.

    Raises `InvalidDecision`.
    """
    single = value[0] if isinstance(value, list) and len(value) == 1 else value
    text = single.get("text", single.get("args")) if isinstance(single, dict) else single
    if not isinstance(text, str) or not text.strip() or len(text) > 4000:
        raise InvalidDecision(
            "An answer is a text of 1 to 4,000 characters.",
            facts={"schema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}},
        )
    return text


def _single(value: JsonValue) -> JsonValue:
    several = value.get("decisions") if isinstance(value, dict) else value
    if not isinstance(several, list):
        return value
    if len(several) != 1:
        raise _invalid(f"One action waits, and {len(several)} decisions were sent.")
    return several[0]


def _as_ours(value: JsonValue) -> JsonValue:
    """An answer to a `HumanInterrupt` as a decision; anything else as it is."""
    if not isinstance(value, dict) or "args" not in value or value.get("type") not in _OLDER:
        return value
    args, others = value["args"], {name: v for name, v in value.items() if name not in ("type", "args")}
    match value["type"]:
        case "accept":
            return others | {"type": "approve"}
        case "ignore":
            return others | {"type": "reject", "reason_code": "ignored"}
        case "response":
            return others | {"type": "respond", "message": args}
    action = args if isinstance(args, dict) else {}
    return others | {"type": "edit", "edited_action": {"name": action.get("action"), "args": action.get("args")}}


def _invalid(detail: str) -> InvalidDecision:
    return InvalidDecision(
        detail, hint="The request stays open; send a decision of this schema.", facts={"schema": decision_schema()}
    )
