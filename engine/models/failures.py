"""What a provider's failure means."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import openai
from langchain_core.messages import AIMessage

from contracts.errors import ModelError, ModelRefused, ModelUnavailable, ModelUnreadable

BAD_BODY = (ValueError, TypeError, LookupError, AttributeError)
"""What the provider's library raises over an answer that is none: a web page, a JSON object of somebody else."""
_WHOLE = ("stop", "tool_calls")
_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}


def failure_of(error: openai.OpenAIError, model: str) -> ModelError:
    """A typed failure. Rate limits, time-outs and server errors may pass; bad requests and bad keys never do."""
    if isinstance(error, openai.LengthFinishReasonError | openai.ContentFilterFinishReasonError):
        return ModelRefused(f"Model {model!r} did not finish its reply: {type(error).__name__}.")
    status = getattr(error, "status_code", None)
    passing = isinstance(error, openai.APIConnectionError) or status in (408, 409, 429) or (status or 0) >= 500
    if passing:
        return ModelUnavailable(f"Model {model!r} did not answer: {type(error).__name__}.")
    if status in (401, 403):
        return ModelError(
            f"The endpoint of {model!r} refused the key ({status}).", hint="Check GATEHOUSE_MODEL_API_KEY."
        )
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIStatusError):
        return unreadable(model, error)  # an error in the middle of a stream, or a body that fits no answer
    return ModelError(f"Model {model!r} refused the request: {type(error).__name__} {status or ''}.")


def unreadable(model: str, error: Exception) -> ModelUnreadable:
    """Without the library's text: it quotes the body, which may hold anything."""
    return ModelUnreadable(
        f"What the endpoint of {model!r} sent is no answer of a model ({type(error).__name__}).",
        hint="Check the address of the route: something else may answer there.",
    )


def wait_of(failure: ModelError) -> float:
    """Seconds for which the endpoint asks to be left alone; 0 where it does not say."""
    cause = failure.__cause__
    said = cause.response.headers.get("retry-after", "") if isinstance(cause, openai.APIStatusError) else ""
    if said.isdecimal():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # not a date; a date without a time zone
        return 0.0


def finish_of(message: AIMessage) -> str:
    """Why the model stopped, in the words of chat completions; empty where it does not say."""
    said = message.response_metadata
    if "finish_reason" in said:
        return str(said["finish_reason"] or "")
    if said.get("status") == "completed":
        return "stop"
    reason = (said.get("incomplete_details") or {}).get("reason", "")
    return _INCOMPLETE.get(reason, str(reason or said.get("status") or ""))


def require_whole(message: AIMessage, model: str) -> None:
    """Raises `ModelRefused` unless the model says that it finished, `ModelUnreadable` where it says nothing of it.

    The library takes a stream that broke off for a whole reply.
    """
    reason = finish_of(message)
    if not reason or reason == "in_progress":
        raise ModelUnreadable(f"The reply of model {model!r} broke off: it says nothing of its end.")
    if reason not in _WHOLE or _refuses(message):
        raise ModelRefused(f"Model {model!r} did not finish its reply (finish_reason {reason!r}).")


def _refuses(message: AIMessage) -> bool:
    blocks = message.content if isinstance(message.content, list) else []
    return bool(message.additional_kwargs.get("refusal")) or any(
        isinstance(block, dict) and block.get("type") == "refusal" for block in blocks
    )
