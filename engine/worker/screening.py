"""Applies a workflow's guards to texts from outside before anything of them is stored."""

from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.errors import InvalidRequest
from contracts.policy import Policy


def screen(policy: Policy, value: JsonObject) -> JsonObject:
    """`value` with every text as the guards leave it. Raises `InvalidRequest` when a guard blocks one."""
    return {key: _screened(policy, item) for key, item in value.items()}


def screen_text(policy: Policy, text: str) -> str:
    """One text as the guards leave it. Raises `InvalidRequest` when a guard blocks it."""
    for guard in policy.input_guards:
        judged = guard(text)
        if judged.verdict == "block":
            raise InvalidRequest(f"A guard refused the text: {', '.join(judged.findings)}.")
        text = judged.text
    return text


def _screened(policy: Policy, value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return screen_text(policy, value)
    if isinstance(value, list):
        return [_screened(policy, item) for item in value]
    return screen(policy, value) if isinstance(value, dict) else value
