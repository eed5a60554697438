"""Finds the supplier and the offer that a request means, and says what the registers think of them. No guesses."""

import re
from collections.abc import Sequence
from datetime import date, timedelta

from graphs.procurement.state import Account, Match, Purchase, Trust, Wanted
from guards.money import write_amount
from tools.accounting import Budget
from tools.purchasing import Offer
from tools.suppliers import Supplier

FRESH_DAYS = 30
"""So long after a change of a bank account somebody from finance looks at it."""

_SMALL_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_PLURAL = re.compile(r"(?<=[xh])es$|(?<=\w{3})s$")
_FILLERS = frozenset({"a", "an", "the", "of", "for", "x", "and", "inch"})


def match(
    wanted: Wanted,
    said: str,
    suppliers: Sequence[Supplier],
    offers: Sequence[Offer],
    budget: Budget,
    *,
    today: str,
) -> Match:
    """The one purchase that `wanted` means. `said`: everything that people said, for what a model read into it."""
    if len(suppliers) != 1:
        return _unclear(_which_supplier(wanted, suppliers))
    supplier = suppliers[0]
    fitting = _fitting(wanted["item"], [o for o in offers if o.valid_until is None or o.valid_until >= today])
    if len(fitting) != 1:
        return _unclear(_which_offer(supplier, fitting or offers))
    offer, quantity = fitting[0], wanted["quantity"]
    if quantity is None or quantity > offer.most:
        return _unclear(f"How many of {offer.item!r} do you need? The price holds for {offer.most} at most.")
    if offer.currency != budget.currency:
        says = f"The offer is in {offer.currency} and the cost centre in {budget.currency}: nobody has fixed a rate."
        return {"standing": "not_ours", "purchase": None, "says": says}
    purchase = _purchase(wanted, said, supplier, offer, quantity, today)
    return {"standing": "ready", "purchase": purchase, "says": _in_words(purchase)}


def _purchase(  # everything that is known by then
    wanted: Wanted, said: str, supplier: Supplier, offer: Offer, quantity: int, today: str
) -> Purchase:
    amount = quantity * offer.unit_price_cents
    trust, trust_says = _trust(supplier)
    account, account_says = _account(supplier, offer, today)
    doubts = [*_read_into(wanted, said, supplier), *_expected_otherwise(wanted, amount, offer.currency)]
    return {
        "supplier_id": supplier.supplier_id,
        "supplier_name": supplier.name,
        "supplier_version": supplier.version,
        "trust": trust,
        "trust_says": trust_says,
        "approved_for": list(supplier.categories),
        "in_one_hand": [tie.supplier_id for tie in supplier.ties if tie.shares != "address"],
        "bank_account": supplier.bank_account,
        "account": account,
        "account_says": account_says,
        "offer_id": offer.offer_id,
        "offer_version": offer.version,
        "item": offer.item,
        "category": offer.category,
        "quantity": quantity,
        "most": offer.most,
        "unit_price_cents": offer.unit_price_cents,
        "amount_cents": amount,
        "currency": offer.currency,
        "evidence": "conflicting" if doubts else "clear",
        "evidence_says": " ".join(doubts) or "The request names this supplier and this quantity.",
    }


def _trust(supplier: Supplier) -> tuple[Trust, str]:
    """What the register says of the supplier, and of those that it has an owner or an account in common with."""
    tied = next((tie for tie in supplier.ties if tie.sanctioned and tie.shares != "address"), None)
    if tied:
        return "sanctioned", f"{supplier.name} shares its {tied.shares.replace('_', ' ')} with {tied.name}, sanctioned."
    return supplier.standing, f"The register has {supplier.name} as {supplier.standing}."


def _account(supplier: Supplier, offer: Offer, today: str) -> tuple[Account, str]:
    if offer.pay_to and offer.pay_to != supplier.bank_account:
        return "disputed", "The offer asks to be paid to another account than the register has."
    if _is_fresh(supplier.bank_account_since, today):
        return "changed", f"The supplier's account was entered on {supplier.bank_account_since}."
    return "confirmed", f"The supplier has had this account since {supplier.bank_account_since}."


def _is_fresh(since: str, today: str) -> bool:
    try:
        return date.fromisoformat(today) - date.fromisoformat(since) < timedelta(days=FRESH_DAYS)
    except ValueError:  # the register has a day that there is none of
        return True


def _read_into(wanted: Wanted, said: str, supplier: Supplier) -> list[str]:
    """What a model read that nobody said."""
    words, doubts = _words(said), []
    names = [name.split()[0] for name in (supplier.name, *supplier.also_known_as)]
    if not any(_words(name) <= words for name in (*names, supplier.supplier_id)):
        doubts.append("Nobody named this supplier.")
    numbers = {number for number, word in enumerate(_SMALL_NUMBERS, 1) if word in words}
    numbers |= {int(word) for word in words if word.isdecimal() and len(word) < 7}
    if wanted["quantity"] not in numbers | ({1} if words & {"a", "an"} else set()):
        doubts.append("Nobody said this quantity.")
    return doubts


def _expected_otherwise(wanted: Wanted, amount_cents: int, currency: str) -> list[str]:
    expected, named = wanted["expected_cents"], wanted["expected_currency"]
    if expected is None or (expected == amount_cents and named in ("", currency)):
        return []
    return [f"The request expects {write_amount(expected, named or currency)}."]


def _fitting(item: str, offers: Sequence[Offer]) -> list[Offer]:
    """The offers whose words cover most of the words asked for; several when they do so equally well."""
    asked = _words(item) - _FILLERS
    found = [(len(asked & _words(offer.item)), offer) for offer in offers]
    best = max((score for score, _ in found), default=0)
    return [offer for score, offer in found if best and score == best]


def _words(text: str) -> set[str]:
    """In lower case and without a plural's ending."""
    return {_PLURAL.sub("", word) for word in re.findall(r"\w+", text.casefold())}


def _which_supplier(wanted: Wanted, suppliers: Sequence[Supplier]) -> str:
    if not suppliers:
        named = f" The register knows no {wanted['supplier']!r}." if wanted["supplier"] else ""
        return f"Which supplier do you want to buy from?{named} Please give a name or an id such as SU-2001."
    return f"Which supplier do you mean: {'; '.join(f'{s.name} ({s.supplier_id})' for s in suppliers)}?"


def _which_offer(supplier: Supplier, offers: Sequence[Offer]) -> str:
    if not offers:
        return f"{supplier.name} offers nothing at present. Which supplier else do you want to buy from, and what?"
    return f"Which one thing of {supplier.name} do you want: {'; '.join(offer.item for offer in offers)}?"


def _unclear(question: str) -> Match:
    return {"standing": "unclear", "purchase": None, "says": question}


def _in_words(purchase: Purchase) -> str:
    amount = write_amount(purchase["amount_cents"], purchase["currency"])
    return f"{purchase['quantity']} x {purchase['item']} from {purchase['supplier_name']} for {amount}"
