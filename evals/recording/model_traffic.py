"""The recordings of a case, made of its reasoning trace: what models were sent there is hashed into their keys."""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from contracts.errors import CaseNotRecordable
from contracts.event import Event
from engine.catalog.workflow import Workflow
from engine.credentials.redactor import KNOWN
from engine.models.calls import call_key
from engine.models.recording import Fault, Recording, parts_of
from evals.recording.ended_case import EndedCase, Record

Json = dict[str, Any]
_FAULTS: Mapping[str, Fault] = {"length": "length", "content_filter": "refused"}


def model_traffic(case: EndedCase) -> list[Recording]:
    """One recording for each reply, in order. A failed attempt counts where nothing answered the same call later.

    Raises `CaseNotRecordable` for a call of which prompt or reply cannot be told.
    """
    asked = [entry for entry in case.entries if entry["kind"] == "model"]
    stand_ins = _stand_ins(case.records)
    made = [_recording(case, entry, stand_ins) for entry in asked]
    answered = {recording.key for recording, failed in made if not failed}
    kept: list[Recording] = []
    for recording, failed in made:
        if not failed:
            kept.append(recording)
        elif recording.key not in answered:
            answered.add(recording.key)
            kept.append(recording)
    return kept


def _recording(case: EndedCase, entry: Json, stand_ins: dict[str, deque[str]]) -> tuple[Recording, bool]:
    """What was asked and answered, and whether it failed."""
    prompt, tools = _prompt(case.workflow, entry["messages"]), entry.get("tools")
    system = SystemMessage(case.workflow.prompts[prompt].system)
    said = [system, *(_message(case.masked(message)) for message in entry["messages"][1:])]
    key, spoken = call_key(said, entry.get("schema"), {}, tools=tools, redact=KNOWN.text)
    failed, reply, fault = "error" in entry, case.masked(entry.get("reply") or {}), _fault(entry)
    text, model = _text(reply.get("content", "")), str(entry.get("model_name") or "")
    source: Literal["recorded", "written"] = "written" if entry.get("source") == "written" else "recorded"
    if entry.get("error") == "recording_missing" and stand_ins[prompt]:  # rules answered in place of a model
        failed, fault, source, model, text = False, "", "written", "stand-in", case.masked(stand_ins[prompt].popleft())
    calls = [
        {"id": f"call-{number}", "name": call["name"], "args": call["args"]}
        for number, call in enumerate(reply.get("tool_calls") or (), start=1)
    ]
    return Recording(prompt, str(key), source, model, text, spoken, fault, calls, parts_of(key)), failed


def _prompt(workflow: Workflow, messages: Sequence[Json]) -> str:
    """The prompt whose words a call began with."""
    system = _text(messages[0]["content"]) if messages else ""
    names = [name for name, prompt in workflow.prompts.items() if KNOWN.text(prompt.system) == system]
    if not names:
        raise CaseNotRecordable(
            "A model was asked with words that are no prompt of this version.",
            hint="The prompts here are not those that the run was carried with.",
        )
    return names[0]


def _stand_ins(records: Sequence[Record]) -> dict[str, deque[str]]:
    """What rules have answered in place of models, by prompt."""
    found: dict[str, deque[str]] = defaultdict(deque)
    for record in records:
        data = record["data"]
        if record["event"] == Event.MODEL_CALLED and data["source"] == "stand-in":
            found[data["prompt"]].append(str(data["reply"]))
    return found


def _fault(entry: Json) -> Fault:
    if "error" in entry:
        return "unavailable"
    return _FAULTS.get(str(entry.get("finish_reason")), "")


def _message(said: Json) -> BaseMessage:
    text = _text(said["content"])
    match said["type"]:
        case "ai":
            return AIMessage(text, tool_calls=said.get("tool_calls") or [])
        case "tool":
            return ToolMessage(text, tool_call_id=str(said.get("tool_call_id", "")))
        case _:
            return HumanMessage(text)


def _text(content: Any) -> str:
    """The words of a message, which providers write as a text or as blocks."""
    return content if isinstance(content, str) else "".join(_words(content))


def _words(blocks: Any) -> Iterator[str]:
    for block in blocks if isinstance(blocks, list) else ():
        if isinstance(block, str):
            yield block
        elif isinstance(block, dict) and block.get("type") == "text":
            yield str(block.get("text", ""))
