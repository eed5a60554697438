"""What a letter to the customer is about, and the plain letter for when a model's does not pass."""

from contracts.approval import JsonObject
from graphs.billing_dispute.state import Settled
from guards.money import write_amount
from tools.billing import ChargesReply


def situation(state: Settled) -> JsonObject:
    """What was found and done, in words that hold only computed facts. `result` is one sentence."""
    finding, receipt, decision = state["finding"], state["receipt"], state["decision"]
    line = finding["line"]
    holder = ChargesReply.model_validate(state["records"]["bill"]).account_holder
    facts: JsonObject = {
        "customer": holder,
        "charge": f"{line['description']} of {line['posted_on']}" if line else "",
        "explanation": finding["reason"],
    }
    if receipt and line:
        amount = write_amount(int(str(receipt["amount_cents"])), line["currency"])
        way = "paid back to your card" if finding["remedy"] == "refund" else "taken off your next invoice"
        return facts | {"result": f"{amount} were {way}.", "done": finding["remedy"]}
    if decision and decision["type"] == "reject":
        return facts | {"result": "After review we do not give this charge back.", "done": "none"}
    return facts | {"result": "Nothing more is owed, so nothing was paid.", "done": "none"}


def plain_letter(facts: JsonObject) -> tuple[str, str]:
    """Subject and body made of facts alone."""
    about = f"About: {facts['charge']}\n" if facts["charge"] else ""
    body = (
        f"Dear {facts['customer']},\n\nwe looked into your complaint.\n{about}{facts['explanation']}\n"
        f"{facts['result']}\n\nIf this does not settle it, reply to this message.\n\nYour billing team"
    )
    return "Your complaint about a charge", body
