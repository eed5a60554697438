"""What outside systems answered in a recorded run, and its replay: a call takes what the same call was answered."""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast

from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.errors import GatehouseError, ToolError, ToolRefused, ToolUnavailable
from contracts.tool import Call, Reply, Request, Tool, ToolModel
from evals.replies import Miss

Asks = Literal["call", "reread"]
"""A call, or what the gateway asks before an approved call: whether that for which it was approved still holds."""
THREAD = "{thread}"
"""Stands in recorded traffic for the id of the case's thread, which is another one each time."""


@dataclass(frozen=True)
class Answered:
    """One call of a tool: exactly one of `reply` and `error` says how it ended. `error` is the code of an error."""

    tool: str
    args: JsonObject
    asks: Asks = "call"
    reply: JsonObject | None = None
    error: str = ""
    detail: str = ""


def line_of(answered: Answered) -> str:
    """As a file holds it, without the members that it does not need."""
    said = {name: value for name, value in asdict(answered).items() if value not in ("", None, "call")}
    return json.dumps(said, ensure_ascii=False, sort_keys=True)


class ToolTraffic:
    """Recorded answers in place of every outside system, for one case.

    The n-th call with the same tool and arguments takes the n-th answer, later ones the last; a call that is tried
    again takes its own once more. What is not recorded fails, and is remembered in `missed`.
    """

    def __init__(self, answered: Iterable[Answered], thread_id: str) -> None:
        self._answered = list(answered)
        self._thread_id = thread_id
        self._given: dict[str, Answered] = {}
        self._used: set[int] = set()
        self.missed: list[Miss] = []

    def standing_in(self, tool: Tool[Request, Reply]) -> Tool[Request, Reply]:
        """The same tool, asking nobody outside."""

        async def run(request: Request, call: Call) -> Reply:
            return tool.reply.model_validate(self._replayed(tool.name, self._args(request), call))

        async def look_up(request: Request, call: Call) -> Reply | None:
            raise ToolUnavailable(f"What became of this call of {tool.name!r} is not recorded.")

        async def reread(request: Request, call: Call) -> Mapping[str, JsonValue]:
            found = self._next(tool.name, self._args(request), "reread")
            return dict(found.reply or {}) if found else {}

        run.__doc__ = tool.run.__doc__
        parts: dict[str, Any] = {"look_up": look_up if tool.look_up else None, "dry_run": None}
        return replace(tool, run=run, reread=reread if tool.reread else None, **parts)

    def unused(self) -> Iterator[Answered]:
        """Answers that nothing has asked for."""
        return (answered for place, answered in enumerate(self._answered) if place not in self._used)

    def _replayed(self, tool: str, args: JsonObject, call: Call) -> JsonObject:
        found = self._given.get(call.idempotency_key) or self._next(tool, args, "call")
        if found is None:
            miss = Miss(tool, f"No recorded answer fits this call of {tool!r}.\n{self._nearest(tool, args)}")
            self.missed.append(miss)
            raise ToolRefused(miss.detail)
        self._given[call.idempotency_key] = found
        if found.error:
            raise _ERRORS.get(found.error, ToolError)(found.detail)
        reply = json.dumps(found.reply).replace(THREAD, self._thread_id)
        return cast(JsonObject, json.loads(reply))

    def _args(self, request: ToolModel) -> JsonObject:
        text = json.dumps(request.model_dump(mode="json")).replace(self._thread_id, THREAD)
        return cast(JsonObject, json.loads(text))

    def _next(self, tool: str, args: JsonObject, asks: Asks) -> Answered | None:
        same = [
            place
            for place, one in enumerate(self._answered)
            if (one.tool, one.asks) == (tool, asks) and one.args == args
        ]
        if not same:
            return None
        fresh = [place for place in same if place not in self._used]
        if not fresh and asks == "reread":  # what had changed then has been told
            return None
        place = (fresh or same[-1:])[0]
        self._used.add(place)
        return self._answered[place]

    def _nearest(self, tool: str, args: JsonObject) -> str:
        others = [one for one in self._answered if one.tool == tool and one.asks == "call"]
        if not others:
            recorded = ", ".join(sorted({one.tool for one in self._answered})) or "none"
            return f"No call of it is recorded at all; recorded are: {recorded}."
        now = _shown(args)

        def likeness(other: Answered) -> float:
            return difflib.SequenceMatcher(None, "\n".join(now), "\n".join(_shown(other.args))).quick_ratio()

        nearest = _shown(max(others, key=likeness).args)
        lines = difflib.unified_diff(nearest, now, "nearest recorded call", "this call", lineterm="", n=0)
        return "\n".join([*lines][:20])


def _shown(args: JsonObject) -> list[str]:
    return json.dumps(args, indent=1, sort_keys=True, ensure_ascii=False).splitlines()


def _below(error: type[ToolError]) -> Iterator[type[ToolError]]:
    yield error
    for each in error.__subclasses__():
        yield from _below(each)


_ERRORS: dict[str, type[GatehouseError]] = {error.code: error for error in _below(ToolError)}
