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
    for entry in each["traced"]:
        _TRACED.get(entry["kind"], _nothing)(entry, whole)
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


def _asked(entry: Json, whole: bool) -> None:
    """A model call: in full exactly what was sent and said, else its size."""
    usage, letters = entry.get("usage"), sum(len(_text(_content(m))) for m in entry["messages"])
    tokens = f", {usage['read']:,} + {usage['written']:,} tokens" if usage else ""
    failed = f", {entry['error']}" if "error" in entry else ""
    _line("asked", f"{len(entry['messages'])} messages, {letters:,} letters{tokens}, {_ms(entry)}{failed}", whole)
    if not whole:
        return
    for message in entry["messages"]:
        _block(f"{_role(message)}:", _text(_content(message)))
    for name in ("params", "tools", "schema"):
        if entry.get(name):
            _block(f"{name}:", _text(entry[name]))
    if "reply" in entry:
        _block("reply:", _text(_content(entry["reply"]) or entry["reply"]))


def _sent(entry: Json, whole: bool) -> None:
    if "args" in entry:
        _line("sent", f"{entry['tool']} {_text(entry['args'])}, {_ms(entry)}", whole)


def _chose(entry: Json, whole: bool) -> None:
    """A branch, and the values that the router looked at."""
    seen = ", ".join(f"{name} = {_text(value)}" for name, value in entry["values"].items())
    _line("because", f"{entry['router']} saw {seen or 'nothing'}", whole)


def _nothing(entry: Json, whole: bool) -> None:
    """Of stages and waits all is said already."""


_TRACED: dict[str, Callable[[Json, bool], None]] = {"model": _asked, "tool": _sent, "branch": _chose}


def _content(message: Any) -> Any:
    return message.get("content", message) if isinstance(message, dict) else message


def _role(message: Any) -> str:
    return str(message.get("type", "message")) if isinstance(message, dict) else "message"


def _ms(entry: Json) -> str:
    return f"{entry['us'] / 1000:,.1f} ms"


def _block(label: str, text: str) -> None:
    """Text as it is, line by line."""
    say(f"    [dim]{label}[/dim]")
    for line in text.splitlines():
        say(f"      {escape(line)}")


def _model(found: Json) -> list[tuple[str, str]]:
    said, by = found["problem"] or found["reply"], by_whom(found["model"], found["source"])
    answered = ("model", f"{by} on {found['prompt']}: {said}")
    return [("read", _read(found)), answered] if found["context"] else [answered]


def _read(found: Json) -> str:
    """What a model was given, by source; rules that stand in for one are given nothing to read."""
    context = found["context"]
    listed = ", ".join(f"{name} {tokens:,}" for name, tokens in context.items())
    return f"about {sum(context.values()):,} tokens of at most {found['max_context']:,}: {listed}"


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
