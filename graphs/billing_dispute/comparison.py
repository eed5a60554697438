"""Compares the bill with the plan: which lines should not be there, and how much of them is owed. Pure."""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

from graphs.billing_dispute.state import Comparison, Identity, Issue, Kind, Line, Standing
from guards.money import write_amount
from tools.billing import Charge, ChargesReply, PricePlan
from tools.crm import Customer

_RECORD_IS_OLD_AFTER_YEARS = 3
_KINDS_OF_ISSUE: dict[str, tuple[Kind, ...]] = {
    "duplicate_charge": ("duplicate", "pending_hold", "already_returned"),
    "unexpected_fee": ("unpermitted_fee", "fee_above_price", "permitted_fee"),
    "exchange_rate": ("exchange_markup",),
    "after_cancellation": ("after_cancellation",),
    "refund_missing": ("already_returned", "duplicate"),
    "unclear": (
        "duplicate",
        "unpermitted_fee",
        "fee_above_price",
        "exchange_markup",
        "after_cancellation",
        "pending_hold",
        "already_returned",
    ),
}
_NOT_OURS = ("unrecognised_charge", "dispute_with_merchant")


def compare(issue: Issue, bill: ChargesReply, plan: PricePlan, customer: Customer | None, today: str) -> Comparison:
    """Where the case stands. `unclear` when several lines could be meant: then the customer is asked.

    `today` is an ISO date.
    """
    lines = [*duplicates(bill), *fees(bill, plan), *wrong_markups(bill, plan), *late_subscriptions(bill, plan)]
    # A mistake of another kind than the one complained about: the words may have been read wrongly, so the customer
    # is asked before anybody tells them that nothing is owed.
    candidates = _meant(issue, lines) or [line for line in lines if line["owed_cents"] > 0]
    owed = [line for line in candidates if line["owed_cents"] > 0]
    identity, identity_says = _identity(bill, customer, today)
    disputed = owed[0] if len(owed) == 1 else candidates[0] if len(candidates) == 1 else None
    return {
        "standing": _standing(issue, candidates, owed),
        "disputed": disputed,
        "candidates": candidates,
        "identity": identity,
        "identity_says": identity_says,
    }


def duplicates(bill: ChargesReply) -> Iterator[Line]:
    """Two charges of one approval of the card network: the later posted one is owed; a pending one is only a hold."""
    first: dict[tuple[str, str, int], Charge] = {}
    for charge in bill.charges:
        if not charge.authorisation or charge.status == "reversed":
            continue
        original = first.setdefault((charge.authorisation, charge.merchant, charge.amount_cents), charge)
        if original is charge:
            continue
        if "pending" in (charge.status, original.status):
            says = "One of the two is a hold for the same payment; it vanishes by itself."
            yield _line("pending_hold", charge, 0, says)
        elif left(charge) == 0:
            says = f"Posted twice, given back in full on {charge.refunded_on}; a card may take ten days to show it."
            yield _line("already_returned", charge, 0, says)
        else:
            says = (
                f"Posted twice: {charge.charge_id} and {original.charge_id} share the approval {charge.authorisation}."
            )
            yield _line("duplicate", charge, left(charge), says)


def fees(bill: ChargesReply, plan: PricePlan) -> Iterator[Line]:
    """Fees that the plan does not list, or lists at a lower price: the difference is owed. The others explain."""
    prices = {fee.fee_code: fee.amount_cents for fee in plan.fees}
    for charge in bill.charges:
        if not charge.fee_code or charge.status != "posted":
            continue
        price = prices.get(charge.fee_code)
        owed = min(left(charge), charge.amount_cents - (price or 0))
        if owed > 0 and price is None:
            says = f"The plan {plan.plan} does not list the fee {charge.fee_code!r}."
            yield _line("unpermitted_fee", charge, owed, says)
        elif owed > 0:
            says = f"The plan {plan.plan} lists it at {write_amount(price or 0, charge.currency)}."
            yield _line("fee_above_price", charge, owed, says)
        elif price == charge.amount_cents:
            says = f"The plan {plan.plan} lists this fee at {write_amount(price, charge.currency)}."
            yield _line("permitted_fee", charge, 0, says)


def wrong_markups(bill: ChargesReply, plan: PricePlan) -> Iterator[Line]:
    """Purchases converted with more markup than agreed: the excess is owed, rounded half up to the minor unit."""
    for charge in bill.charges:
        exchange = charge.exchange
        if exchange is None or charge.status != "posted" or exchange.markup_bp <= plan.fx_markup_bp:
            continue
        agreed = Decimal(exchange.base_cents) * (10_000 + plan.fx_markup_bp) / 10_000
        owed = min(left(charge), charge.amount_cents - int(agreed.quantize(Decimal(1), ROUND_HALF_UP)))
        if owed > 0:
            says = f"Markup {exchange.markup_bp / 100:g} %, where the plan agrees {plan.fx_markup_bp / 100:g} %."
            yield _line("exchange_markup", charge, owed, says)


def late_subscriptions(bill: ChargesReply, plan: PricePlan) -> Iterator[Line]:
    """Subscriptions charged after the last day of a cancelled plan. ISO dates compare as text."""
    for charge in bill.charges:
        if (
            plan.cancelled_on
            and charge.kind == "subscription"
            and charge.posted_on > plan.cancelled_on
            and left(charge)
        ):
            yield _line("after_cancellation", charge, left(charge), f"The plan ended on {plan.cancelled_on}.")


def left(charge: Charge) -> int:
    """Minor units of a charge that were not given back yet."""
    return charge.amount_cents - charge.refunded_cents - charge.credited_cents


def _meant(issue: Issue, lines: list[Line]) -> list[Line]:
    """Lines of the kind complained about; narrowed by amount and merchant where these were named and are found."""
    meant = [line for line in lines if line["kind"] in _KINDS_OF_ISSUE.get(issue["kind"], ())]
    amount, merchant = issue["amount_cents"], issue["merchant"].casefold()
    if amount is not None:
        meant = [line for line in meant if amount in (line["amount_cents"], line["owed_cents"])] or meant
    if merchant:
        meant = [line for line in meant if merchant in line["description"].casefold()] or meant
    return meant


def _standing(issue: Issue, candidates: list[Line], owed: list[Line]) -> Standing:
    if issue["kind"] in _NOT_OURS:
        return "not_ours"
    of_another_kind = any(line["kind"] not in _KINDS_OF_ISSUE.get(issue["kind"], ()) for line in candidates)
    if len(owed) > 1 or of_another_kind or (issue["kind"] == "unclear" and not owed):
        return "unclear"
    return "owed" if owed else "nothing_owed"


def _identity(bill: ChargesReply, customer: Customer | None, today: str) -> tuple[Identity, str]:
    if customer is None:
        return "conflicting", "Billing has this account, the customer register does not."
    if (customer.name, customer.email) != (bill.account_holder, bill.account_email):
        return "conflicting", f"Billing names {bill.account_holder}, the register {customer.name}."
    if int(today[:4]) - int(customer.record_updated_on[:4]) > _RECORD_IS_OLD_AFTER_YEARS:
        return "conflicting", f"The register's record was last confirmed on {customer.record_updated_on}."
    return "confirmed", f"Both registers name {customer.name}."


def _line(kind: Kind, charge: Charge, owed_cents: int, says: str) -> Line:
    return {
        "kind": kind,
        "charge_id": charge.charge_id,
        "invoice_id": charge.invoice_id,
        "charge_version": charge.version,
        "posted_on": charge.posted_on,
        "description": charge.description,
        "amount_cents": charge.amount_cents,
        "owed_cents": owed_cents,
        "currency": charge.currency,
        "says": says,
    }
