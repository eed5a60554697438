"""Judges where the sinks of a call got their values: only the requester and trusted fields may fill them."""

from contracts.guard import Finding, FindingKind, GuardedCall
from contracts.values import folded_text, texts_at, texts_below
from guards.origins import origin_of, records_with
from guards.values import says_value

_TO_SOMEBODY = ("recipient", "payee")


def judge_provenance(call: GuardedCall) -> tuple[Finding, ...]:
    """Says of every sink value where it came from, whatever the model says; `content` is judged by its links."""
    found = []
    for argument, sink in call.tool.sinks.items():
        for value in texts_at(call.args, argument) if sink.kind != "content" else ():
            origin = origin_of(call, argument, value)
            kind: FindingKind = "trusted" if origin.trusted else "untrusted"
            stains = origin.source in ("untrusted", "stained")
            found.append(Finding(kind, argument, f"{argument}: {origin.says}.", stains=stains))
    return tuple(found)


def judge_intent(call: GuardedCall) -> tuple[Finding, ...]:
    """Finds a trusted recipient or payee to which nothing leads that the requester said.

    An address book is trusted, and still nobody asked to write to everyone in it: the record that names the recipient,
    or the question that found it, must hold something from the requester's words.
    """
    return tuple(
        Finding("unintended", argument, f"{argument}: known, but nothing that the requester said leads there.")
        for argument, sink in call.tool.sinks.items()
        if sink.kind in _TO_SOMEBODY
        for value in texts_at(call.args, argument)
        if origin_of(call, argument, value).source == "trusted" and not _is_led_to(call, value)
    )


def judge_pairs(call: GuardedCall) -> tuple[Finding, ...]:
    """Finds an amount that stands in no record of whom it would go to, unless the requester named both."""
    return tuple(
        Finding("pair", argument, f"{argument}: it does not stand in the same record as {sink.paired_with}.")
        for argument, sink in call.tool.sinks.items()
        if sink.paired_with
        for amount in texts_at(call.args, argument)
        for other in texts_at(call.args, sink.paired_with)
        if not _belong_together(call, argument, amount, other)
    )


def judge_repeats(call: GuardedCall) -> tuple[Finding, ...]:
    """Finds a sum that this case has paid before: what is asked for once is not paid twice, in whatever other words."""
    decides = [argument for argument, sink in call.tool.sinks.items() if sink.kind != "content"]
    money = next((argument for argument, sink in call.tool.sinks.items() if sink.kind == "amount"), None)
    if money is None:
        return ()
    before = [past for past in call.past if past.tool == call.tool.name]
    if any(all(texts_at(past.args, one) == texts_at(call.args, one) for one in decides) for past in before):
        return (Finding("repeated", money, f"{money}: this case has paid it before, to the same."),)
    return ()


def judge_first_seen(call: GuardedCall) -> tuple[Finding, ...]:
    """Finds a payee whom no effect of this tool ever paid."""
    return tuple(
        Finding("first_seen", argument, f"{argument}: nothing was ever paid there.")
        for argument, sink in call.tool.sinks.items()
        if sink.kind == "payee"
        for value in texts_at(call.args, argument)
        if folded_text(value) not in call.used_before
    )


def _is_led_to(call: GuardedCall, value: str) -> bool:
    for past in call.past:
        records = records_with(past.result, value)
        known = [text for record in records for _, text in texts_below(record)]
        asked = [text for _, text in texts_below(past.args)] if records else []
        if any(says_value(said, text) for text in (*known, *asked) for said in call.said):
            return True
    return False


def _belong_together(call: GuardedCall, argument: str, amount: str, other: str) -> bool:
    paired = call.tool.sinks[argument].paired_with
    origins = origin_of(call, argument, amount), origin_of(call, paired, other)
    if all(origin.source == "requester" for origin in origins):
        return True
    return any(
        any(text == amount for _, text in texts_below(record))
        for past in call.past
        for record in records_with(past.result, other)
    )
