"""What callers may ask of a stream: its modes, and where to go on after a reconnect."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self, get_args

from fastapi import Header, Query

from contracts.errors import InvalidRequest

StreamMode = Literal[
    "values",
    "updates",
    "messages",
    "messages-tuple",
    "custom",
    "tasks",
    "checkpoints",
    "debug",
    "events",
    "tools",
    "lifecycle",
]

END = "end"
"""Id of the failure of a run that keeps no events: nothing comes after it."""
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Position:
    """Where a reader of a stream stands: after event `number`, or at its start, before even `metadata`."""

    number: int = 0
    at_start: bool = True
    over: bool = False
    """After everything: the reader has seen the stream fail."""

    @classmethod
    def after(cls, last_event_id: str | None) -> Self:
        """The position that a `Last-Event-ID` names; none and -1 are the start. Raises `InvalidRequest`."""
        if last_event_id in (None, "", "-1"):
            return cls()
        if last_event_id == END:
            return cls(at_start=False, over=True)
        if not re.fullmatch(r"\d{1,19}", last_event_id or "") or int(last_event_id or 0) > _LARGEST:
            raise InvalidRequest(
                "Last-Event-ID is not the id of an event of this stream.",
                hint="Send the `id` of the last event that you have, or -1 for all of them.",
            )
        return cls(int(last_event_id or 0), at_start=False)


@dataclass(frozen=True)
class Joining:
    """How a run is joined: from where on, which of its modes (all by default), and whether leaving cancels it."""

    position: Position = Position()
    modes: tuple[str, ...] | None = None
    leaving_cancels: bool = False


LastEventId = Annotated[str | None, Header(description="Go on after this event; -1 or nothing: from the start.")]
AskedModes = Annotated[list[str] | None, Query(description="Repeated, or a JSON list.")]


async def joining(
    last_event_id: LastEventId = None, stream_mode: AskedModes = None, cancel_on_disconnect: bool = False
) -> Joining:
    """Raises `InvalidRequest`."""
    modes = asked_modes(stream_mode, get_args(StreamMode))
    return Joining(Position.after(last_event_id), modes, cancel_on_disconnect)


def asked_modes(values: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...] | None:
    """Modes from a query: repeated, or a JSON list as the JavaScript client sends it. Raises `InvalidRequest`."""
    modes = [mode for value in values or () for mode in _listed(value)]
    if not modes:
        return None
    if unknown := sorted(set(modes) - set(known)):
        raise InvalidRequest(f"There is no stream mode {unknown[0]!r}.", hint=f"Known: {', '.join(known)}.")
    return tuple(modes)


def _listed(value: str) -> list[str]:
    if not value.startswith("["):
        return [value] if value else []  # an option left out arrives as an empty text
    try:
        return [str(mode) for mode in json.loads(value)]
    except ValueError as error:
        raise InvalidRequest(f"`stream_mode` is not a JSON list: {error}.") from error
