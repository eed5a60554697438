"""How the way of a case through its graph reads on a terminal."""

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from rich.markup import escape

from commands.terminal import say, shorten
from contracts.context import by_whom

Json = dict[str, Any]
_SHORT = 160


def print_way(way: Json, *, whole: bool) -> None:
    """Each stage: where it led, where it could have led, what it knew and wrote; values in full when `whole`."""
    for each in way["stages"]:
        _print_stage(each, whole)


def _print_stage(each: Json, whole: bool) -> None:
    kind = f" [dim]({each['kind']})[/dim]" if each["kind"] else ""
    not_ended = "  [yellow]has not ended[/yellow]" if each["stage"] and not each["at"] else ""
    led = f" → [bold]{', '.join(each['then'])}[/bold]" if each["then"] else not_ended
    could = f" [dim]and not {', '.join(others)}[/dim]" if (others := _not_taken(each)) else ""
    say(f"[bold]{each['stage'] or 'afterwards'}[/bold]{kind}{led}{could}")
    for found in each["knew"]:
        for label, text in _KNEW[found["event"]](defaultdict(str, found)):
            _line(label, text, whole)
    for path, value in (each["wrote"] or {}).items():
        if whole or value not in (None, "", [], {}):
            _line("wrote", f"{path} = {_text(value)}", whole)


def _not_taken(each: Json) -> list[str]:
    """Where the stage could have led and did not; an outcome is what stands where the graph ends."""
    taken = {name if name in each["could"] else "end" for name in each["then"]}
    return [name for name in each["could"] if name not in taken] if taken else []


def _line(label: str, text: str, whole: bool) -> None:
    line = " ".join(text.split())
    shown = line if whole else shorten(line, _SHORT)
    say(f"  [dim]{label:9}[/dim] {escape(shown)}")


def _model(found: Json) -> list[tuple[str, str]]:
    said = found["problem"] or found["reply"]
    return [("model", f"{by_whom(found['model'], found['source'])} on {found['prompt']}: {said}")]


def _call(found: Json) -> list[tuple[str, str]]:
    said = found["result"] or found["error"]
    return [("tool", f"{found['tool']} {found['state']}: {_text(said)}")]


def _frozen(found: Json) -> list[tuple[str, str]]:
    facts = ", ".join(f"{name} {_text(value)}" for name, value in (found["facts"] or {}).items())
    said = f"{found['verdict']} {found['tool']} by rule {found['rule']}: {found['why']}"
    return [("policy", said), ("facts", facts)]


_KNEW: dict[str, Callable[[Json], list[tuple[str, str]]]] = {
    "model.called": _model,
    "call.finished": _call,
    "call.refused": lambda found: [("refused", f"{found['tool']} ({found['code']}): {found['detail']}")],
    "call.resolved": lambda found: [
        ("found out", f"{found['tool']} {found['outcome']} by {found['by']} {found['note']}")
    ],
    "action.frozen": _frozen,
    "approval.decided": lambda found: [("decided", f"{found['type']} by {found['by']} {found['reason']}")],
    "question.answered": lambda found: [("answer", found["answer"])],
}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
