"""Where a value comes from: the requester, a trusted field of a reply, or neither. What was once tainted stays so."""

from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from contracts.guard import Finished, GuardedCall
from contracts.sink import Sink
from contracts.values import folded_text, stands_below, texts_at, texts_below
from guards.amounts import find_amounts
from guards.money import read_amount
from guards.values import is_bare_number, says_number, says_value


@dataclass(frozen=True)
class Origin:
    """Where a value was first seen."""

    source: Literal["requester", "trusted", "untrusted", "written", "stained"]
    says: str
    """For a reviewer: `billing.list_charges: charges.charge_id`."""

    @property
    def trusted(self) -> bool:
        return self.source in ("requester", "trusted")


_MADE_UP = Origin("written", "nobody said it and no reply holds it")
_STAINED = Origin("stained", "an earlier case has put it there itself")


def origin_of(call: GuardedCall, argument: str, value: str) -> Origin:
    """Where the value at one sink comes from.

    The requester's words count wherever they stand. Otherwise the first place decides: who reads back what was
    untrusted, or what the model itself sent as an argument, has not learned it from a trusted field.
    """
    sink = call.tool.sinks.get(argument, Sink("identifier"))
    if any(_says(text, value, sink, call) for text in call.said):
        return Origin("requester", "the requester said it")
    if folded_text(value) in call.stained:
        return _STAINED
    if any(says_value(text, value) for text in call.told):
        return Origin("untrusted", "it came in with the case, in words that are not the requester's")
    for past in call.past:
        if origin := _first_seen(call, past, value):
            return origin
    return _MADE_UP


def _first_seen(call: GuardedCall, past: Finished, value: str) -> Origin | None:
    if any(_same(text, value) for _, text in texts_below(past.args)) and not _is_said(call, value):
        return Origin("written", f"it was first sent as an argument of {past.tool}")
    contract = call.tools.get(past.tool)
    trusted = contract.trusted if contract else ()
    found: Origin | None = None
    for path, text in texts_below(past.result):
        if any(stands_below(path, field) for field in trusted):
            if _same(text, value):
                return Origin("trusted", f"{past.tool}: {path}")
        elif says_value(text, value):
            found = Origin("untrusted", f"{past.tool}: {path}, which others may have written")
    return found


def _is_said(call: GuardedCall, value: str) -> bool:
    return any(says_value(text, value) for text in call.said)


def _says(text: str, value: str, sink: Sink, call: GuardedCall) -> bool:
    if sink.kind == "amount":
        return _says_amount(text, value, call)
    if is_bare_number(value):
        return says_number(text, value, sink.nouns)
    return says_value(text, value)


def _says_amount(text: str, value: str, call: GuardedCall) -> bool:
    currency = next(iter(texts_at(call.args, call.tool.currency)), "") if call.tool.currency else ""
    minor = int(value) if value.lstrip("-").isdigit() else read_amount(value, currency or "USD")
    return minor is not None and any(amount.is_one_of(frozenset({minor}), currency) for amount in find_amounts(text))


def _same(one: str, other: str) -> bool:
    return folded_text(one) == folded_text(other)


def records_with(reply: JsonValue, value: str) -> list[JsonValue]:
    """The smallest records of a reply that hold `value`: elements of lists, or the reply itself."""
    found: list[JsonValue] = []
    _collect(reply, reply, value, found)
    return found


def _collect(node: JsonValue, record: JsonValue, value: str, found: list[JsonValue]) -> None:
    match node:
        case dict():
            for below in node.values():
                _collect(below, record, value, found)
        case list():
            for below in node:
                _collect(below, below if isinstance(below, dict) else record, value, found)
        case None | bool():
            return
        case _ if _same(str(node), value) and record not in found:
            found.append(record)
