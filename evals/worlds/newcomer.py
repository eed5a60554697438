"""An account for somebody who tries the sandbox with a dispute of their own."""

from evals.worlds.seed import Account, Seed, account_of, enter, read_seed
from evals.worlds.store import JsonObject, Store


def open_account(store: Store, account_id: str, *, amount_cents: int) -> None:
    """Enter an account in euros on which each usual mistake was made once, for `amount_cents`.

    A payment posted twice, a fee that the plan does not list, a markup nobody agreed and a subscription after the
    cancellation: whatever the complaint is about, one line fits.
    """
    plans = read_seed()
    enter(Seed(plans.today, plans.next_invoice_on, (_account(account_id, amount_cents),)), store)


def _account(account_id: str, amount_cents: int) -> Account:
    number = account_id.removeprefix("AC-")
    record: JsonObject = {
        "why": "Somebody's own dispute.",
        "holder": "Robin Example",
        "email": "robin@example.com",
        "customer": {
            "name": "Robin Example",
            "email": "robin@example.com",
            "country": "IE",
            "segment": "personal",
            "since": "2024-01-01",
            "goodwill_granted_cents_this_year": 0,
            "record_updated_on": "2026-06-01",
            "opted_in_email": True,
        },
        "plan": {"name": "eur-plus", "starts_on": "2024-01-01", "cancelled_on": "2026-10-15"},
        "charges": [_charge(number, index, amount_cents, part) for index, part in enumerate(_parts(amount_cents), 1)],
    }
    return account_of(account_id, record)


def _parts(amount_cents: int) -> list[JsonObject]:
    payment: JsonObject = {
        "kind": "purchase",
        "description": "Corner Shop",
        "merchant": "Corner Shop",
        "authorisation": "OWN001",
    }
    exchange: JsonObject = {
        "original_cents": amount_cents * 20,
        "original_currency": "USD",
        "reference_rate": "1.0000",
        "base_cents": amount_cents * 20,
        "markup_bp": 500,
    }
    return [
        payment,
        payment,
        {"kind": "fee", "description": "Service fee", "fee_code": "account_service"},
        {"kind": "subscription", "description": "Plus plan November"},
        {
            "kind": "purchase",
            "description": "Far Away Store",
            "merchant": "Far Away Store",
            "authorisation": "OWN002",
            "amount_cents": amount_cents * 21,
            "exchange": exchange,
        },
    ]


def _charge(number: str, index: int, amount_cents: int, part: JsonObject) -> JsonObject:
    usual: JsonObject = {
        "charge_id": f"CH-{number}-{index:02}",
        "invoice_id": f"IN-202610-{number}",
        "posted_on": "2026-10-30",
        "amount_cents": amount_cents,
    }
    return usual | part
