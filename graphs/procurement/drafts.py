"""The actions this workflow proposes, as drafts: arguments, facts for policy, and what a reviewer is shown."""

from typing import cast

from contracts.approval import Draft, Evidence, JsonObject
from graphs.procurement.stages import purchase_of
from graphs.procurement.state import Decided, Matched, Weighed
from guards.money import write_amount

_LONGEST_QUOTE = 240


def reservation_draft(state: Matched) -> Draft:
    """Set aside what the order will cost, before anybody is asked about it."""
    purchase, identity = purchase_of(state), state["identity"]
    amount = write_amount(purchase["amount_cents"], purchase["currency"])
    copied = ("supplier_id", "offer_id", "quantity", "amount_cents", "currency")
    return {
        "args": {
            "reference": identity["reference"],
            "cost_centre": state["cost_centre"],
            "requester": identity["requester"],
            "on": identity["today"],
            **{name: purchase[name] for name in copied},  # type: ignore[literal-required]  # names of its keys
        },
        "facts": {"own": identity["reference"]},
        "summary": f"Set {amount} of {state['cost_centre']} aside for an order that is under way",
        "reason": "Orders under way count against the budget and the limits, so that no two are judged alone.",
        "evidence": [],
        "diff": [],
    }


def order_draft(state: Weighed) -> Draft:
    """Order what was found, for what was set aside."""
    purchase, identity, spending = purchase_of(state), state["identity"], state["spending"]
    currency, left = purchase["currency"], spending["limit_cents"] - spending["committed_cents"]
    return {
        "args": {
            "reference": identity["reference"],
            "requester": identity["requester"],
            "cost_centre": state["cost_centre"],
            "supplier_id": purchase["supplier_id"],
            "supplier_version": purchase["supplier_version"],
            "offer_id": purchase["offer_id"],
            "offer_version": purchase["offer_version"],
            "quantity": purchase["quantity"],
            "amount_cents": purchase["amount_cents"],
            "currency": currency,
            "bank_account": purchase["bank_account"],
        },
        "facts": _facts(state),
        "summary": f"Order {state['match']['says']}"[:200],
        "reason": f"{_named(identity['requester'])} asked for it; {state['cost_centre']} pays.",
        "evidence": _evidence(state),
        "diff": [
            {
                "field": f"left of the budget of {state['cost_centre']}",
                "before": write_amount(left, currency),
                "after": write_amount(left - purchase["amount_cents"], currency),
            }
        ],
        "opinion": f"Read by {state['wanted']['answered_by']}.",
    }


def settlement_draft(state: Decided) -> Draft:
    """Book what was ordered, or give back what was set aside."""
    receipt, purchase = state["receipt"], purchase_of(state)
    ordered = receipt or {"amount_cents": purchase["amount_cents"], "currency": purchase["currency"]}
    outcome = "spent" if receipt else "released"
    return {
        "args": {
            "reference": state["identity"]["reference"],
            "cost_centre": state["cost_centre"],
            "outcome": outcome,
            "amount_cents": ordered["amount_cents"],
            "currency": ordered["currency"],
        },
        "facts": {"own": state["identity"]["reference"]},
        "summary": f"Note the reservation of {state['cost_centre']} as {outcome}",
        "reason": "The order was placed." if receipt else "Nothing was ordered.",
        "evidence": [],
        "diff": [],
    }


def _facts(state: Weighed) -> JsonObject:
    """What the order is held against; what follows from its arguments is measured, for edits, too."""
    purchase, identity, spending = purchase_of(state), state["identity"], state["spending"]
    return {
        "read": cast(JsonObject, purchase),
        "own": [identity["reference"], identity["requester"], state["cost_centre"]],
        "trust": purchase["trust"],
        "category_approved": purchase["category"] in purchase["approved_for"],
        "account": purchase["account"],
        "evidence": purchase["evidence"],
        "double": bool(spending["doubles"]),
        "reserved_cents": state["reservation"]["amount_cents"],
        "limit_cents": spending["limit_cents"],
        "committed_cents": spending["committed_cents"],
        "lately_cents": spending["lately_cents"],
    }


def _evidence(state: Weighed) -> list[Evidence]:
    purchase, spending = purchase_of(state), state["spending"]
    lately = write_amount(spending["lately_cents"], purchase["currency"])
    price = write_amount(purchase["unit_price_cents"], purchase["currency"])
    found: list[Evidence] = [
        {"source": "suppliers.find_suppliers", "says": purchase["trust_says"]},
        {"source": "suppliers.find_suppliers", "says": purchase["account_says"]},
        {"source": "purchasing.list_offers", "says": f"{purchase['offer_id']}: {purchase['item']} at {price} each."},
        {"source": "purchasing.list_orders", "says": f"Beside this, {lately} from this supplier in 30 days."},
        {"source": "request", "says": purchase["evidence_says"]},
        {"source": "request", "says": f"In their words: {_shortened(state['request'])}"},
    ]
    doubles = ", ".join(spending["doubles"])
    if doubles:
        found.append({"source": "purchasing.list_orders", "says": f"The same was ordered or asked for: {doubles}."})
    return found


def _shortened(text: str) -> str:
    """On one line, so that nothing in it looks like a line of the card."""
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST_QUOTE else f"{words[:_LONGEST_QUOTE]} …"


def _named(requester: str) -> str:
    return requester.removeprefix("key:")
