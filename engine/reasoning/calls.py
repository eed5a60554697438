"""What tools were asked and answered, put to the entries of a trace: the audit trail holds it under each call's key."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from engine.reasoning.pages import Entry

_KEPT = {"call.started": ("args",), "call.finished": ("state", "result", "error")}


def add_calls(entries: list[Entry], records: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """The entries, those of tools with what the case's records say of their calls."""
    calls: dict[str, dict[str, Any]] = defaultdict(dict)
    for record in records:
        data = record["data"]
        kept = {name: data[name] for name in _KEPT.get(record["event"], ()) if data.get(name) is not None}
        calls[data.get("call_key", "")] |= kept
    return [entry | calls.get(entry["call_key"], {}) if entry["kind"] == "tool" else entry for entry in entries]
