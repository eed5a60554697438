"""What a provider's failure means."""

import openai
from langchain_core.messages import AIMessage

from contracts.errors import ModelError, ModelRefused, ModelUnavailable


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
    return ModelError(f"Model {model!r} refused the request: {type(error).__name__} {status or ''}.")


def require_whole(message: AIMessage, model: str) -> None:
    """Raises `ModelRefused` unless the model says that it finished: a cut-off reply is accepted silently otherwise."""
    reason = message.response_metadata.get("finish_reason")
    if reason != "stop" or message.additional_kwargs.get("refusal"):
        raise ModelRefused(f"Model {model!r} did not finish its reply (finish_reason {reason!r}).")
