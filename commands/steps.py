"""How a case's records read on a terminal: one line for each."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from rich.markup import escape

from commands.terminal import say, shorten
from contracts.context import by_whom

_COLOURS = {
    "run.failed": "red",
    "call.refused": "yellow",
    "approval.attempt_refused": "yellow",
    "approval.superseded": "yellow",
    "run.finished": "green",
    "approval.requested": "cyan",
}


def print_step(record: Any, *, day: bool = False) -> None:
    """One line of a timeline: time, what happened, whereby, and who did it if it was not the agent itself."""
    at = record["at"][:19].replace("T", " ") if day else record["at"][11:19]
    said = escape(shorten(what_happened(record["event"], record["data"])))
    who = "" if record["actor"].startswith("agent:") else f" [dim]by {escape(record['actor'])}[/dim]"
    colour = _COLOURS.get(record["event"])
    event = f"{record['event']:20}"
    say(f"  [dim]{at}[/dim]  {f'[{colour}]{event}[/{colour}]' if colour else event} {said}{who}".rstrip())


def what_happened(event: str, data: dict[str, Any]) -> str:
    """A record's data in few words."""
    if event in _WHAT:
        # A release may write records with members that this one lacks, or without one that it has.
        return _WHAT[event](defaultdict(str, data)).strip()
    if event.startswith("run."):
        return " ".join(str(data[name]) for name in ("status", "outcome") if data.get(name))
    return ", ".join(f"{name} {value}" for name, value in data.items() if isinstance(value, str | int) and value != "")


def _failure(data: dict[str, Any]) -> str:
    error = data.get("error") or {}
    return f"{error.get('error', '')}: {error.get('message', '')}"


def _call(data: dict[str, Any]) -> str:
    detail = (data.get("error") or {}).get("detail", "")
    return f"{data['tool']}: {data['state']} {detail}"


_WHAT: dict[str, Callable[[dict[str, Any]], str]] = {
    "stage.finished": lambda data: f"{data['stage']} ({data['kind']})",
    "model.called": lambda data: f"{data['prompt']}: {by_whom(data['model'], data['source'])} {data['problem']}",
    "call.started": lambda data: (
        f"{data['tool']}" + (f" (attempt {data['attempt']})" if (data["attempt"] or 1) > 1 else "")
    ),
    "call.finished": _call,
    "call.refused": lambda data: f"{data['tool']}: {data['code']}",
    "call.resolved": lambda data: f"{data['tool']}: {data['outcome']} by {data['by']}",
    "outcome.asked": lambda data: f"{data['tool']}: did it happen?",
    "action.frozen": lambda data: f"{data['summary']} → {data['verdict']} ({data['rule']})",
    "approval.requested": lambda data: f"{data['request_id']} in {data['queue']}",
    "approval.warned": lambda data: f"{data['request_id']} in {data['queue']}: its time is running out",
    "approval.breached": lambda data: f"{data['request_id']} in {data['queue']}: later than agreed",
    "approval.escalated": lambda data: f"to {data['to']} {data['role'] and '(' + data['role'] + ')'} {data['reason']}",
    "approval.claimed": lambda data: f"{data['request_id']} for {data['seconds']} s",
    "approval.released": lambda data: str(data["request_id"]),
    "approval.assigned": lambda data: f"to {data['to']}",
    "approval.delegated": lambda data: f"to {data['to']}",
    "approval.voted": lambda data: f"approved by {', '.join(data['approved_by'])}; {data['needed']} are needed",
    "approval.attempt_refused": lambda data: f"{data['tried']}: {data['code']}",
    "approval.superseded": lambda data: str(data["because"]),
    "approval.undone": lambda data: f"by {data['by_call']}: {data['reason']}",
    "approval.decided": lambda data: f"{data['type']} {data['reason']}",
    "question.asked": lambda data: str(data["question"]),
    "question.answered": lambda data: str(data["answer"]),
    "run.created": lambda data: f"{data['kind']} for {data['requester']}",
    "run.failed": _failure,
    "run.migrated": lambda data: f"from {data['from']} to {data['to']} {data['reason']}",
}
