"""What policy has to know of an action's arguments: measured when proposed, and again when a reviewer edits it."""

from contracts.approval import JsonObject
from guards.outgoing import judge_outgoing


def measure_refund(args: JsonObject, stated: JsonObject) -> JsonObject:
    """Whether the sum, on this very charge, is no more than the comparison found to be owed."""
    same = args["charge_id"] == stated["owed_on"]
    return {"within_owed": same and _whole(args["amount_cents"]) <= _whole(stated["owed_cents"])}


def measure_credit(args: JsonObject, stated: JsonObject) -> JsonObject:
    """Whether the sum, on this very charge, is no more than was charged."""
    same = args["charge_id"] == stated["charged_on"]
    return {"within_charge": same and _whole(args["amount_cents"]) <= _whole(stated["charged_cents"])}


def measure_reply(args: JsonObject, stated: JsonObject) -> JsonObject:
    """Who would get the letter, and whether it holds a link or a sum that nobody computed."""
    sums = stated["known_cents"]
    judged = judge_outgoing(
        f"{args['subject']}\n{args['body']}",
        allowed_links=(),
        allowed_amounts_cents=[_whole(value) for value in sums] if isinstance(sums, list) else [],
        currency=str(stated["currency"]),
    )
    recipient = stated["identity"] if args["to"] == stated["known_address"] else "unknown"
    return {"guard": judged.verdict, "recipient": recipient}


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is not a sum in minor units")
    return value
