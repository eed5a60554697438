"""What policy has to know of an action's arguments: measured when proposed, and again when a reviewer edits it."""

from collections.abc import Mapping

from contracts.approval import JsonObject


def measure_order(args: JsonObject, stated: JsonObject) -> JsonObject:
    """Whether this is the order that the registers were read for, and how much it comes to with what counts beside it.

    The supplier, the offer, the account and whose order it is cannot be changed by an edit: nobody has read what the
    registers say of another. What can be changed is how many.
    """
    read = stated["read"]
    if not isinstance(read, Mapping):
        raise TypeError("the draft does not state what was read")
    names = ("supplier_id", "supplier_version", "offer_id", "offer_version", "currency")
    amount, quantity = _whole(args["amount_cents"]), _whole(args["quantity"])
    return {
        "as_read": all(args[name] == read[name] for name in names),
        "to_known_account": args["bank_account"] == read["bank_account"],
        "for_whom_asked": [args["reference"], args["requester"], args["cost_centre"]] == stated["own"],
        "priced_as_offered": amount == quantity * _whole(read["unit_price_cents"]) and quantity <= _whole(read["most"]),
        "within_reserved": amount <= _whole(stated["reserved_cents"]),
        "within_budget": amount + _whole(stated["committed_cents"]) <= _whole(stated["limit_cents"]),
        "together_cents": amount + _whole(stated["lately_cents"]),
    }


def measure_booking(args: JsonObject, stated: JsonObject) -> JsonObject:
    """Whether a case books for itself."""
    return {"for_itself": args["reference"] == stated["own"]}


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is not a whole number")
    return value
