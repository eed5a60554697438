"""The actions this workflow proposes, as drafts: arguments, facts for policy, and what a reviewer is shown."""

from typing import cast

from contracts.approval import Change, Draft, Evidence, JsonObject
from graphs.billing_dispute.state import Answered, Assessed, Line, Settled
from guards.money import write_amount
from tools.billing import ChargesReply


def refund_draft(state: Assessed) -> Draft:
    """Pay what is owed back to the card."""
    line, finding = _line(state), state["finding"]
    amount = write_amount(finding["amount_cents"], line["currency"])
    facts: JsonObject = {
        "basis": "owed",
        "evidence": finding["evidence"],
        "owed_on": line["charge_id"],
        "owed_cents": line["owed_cents"],
    }
    return _draft(state, f"Refund {amount} to {_name(state)}, {line['charge_id']}: {line['description']}", facts)


def credit_draft(state: Assessed) -> Draft:
    """Grant goodwill on the next invoice."""
    line, finding = _line(state), state["finding"]
    amount = write_amount(finding["amount_cents"], line["currency"])
    facts: JsonObject = {
        "basis": "goodwill",
        "charged_on": line["charge_id"],
        "charged_cents": line["amount_cents"],
    }
    return _draft(state, f"Credit {amount} of goodwill to {_name(state)}, {line['charge_id']}", facts)


def reply_draft(state: Answered) -> Draft:
    """Send the reply to the address that billing has."""
    reply, bill = state["reply"], _bill(state)
    comparison = state["comparison"]
    return {
        "args": {
            "account_id": state["account_id"],
            "to": bill.account_email,
            "subject": reply["subject"],
            "body": reply["body"],
            "case_ref": state["account_id"],
        },
        "facts": {
            "identity": comparison["identity"],
            "known_address": bill.account_email,
            "known_cents": [*known_amounts(state)],
            "currency": currency_of(state),
        },
        "summary": f"Send the reply to {bill.account_holder} <{bill.account_email}>"[:200],
        "reason": comparison["identity_says"],
        "evidence": [{"source": "crm.find_customer", "says": comparison["identity_says"]}],
        "diff": [{"field": "mail", "before": None, "after": reply["body"]}],
        "opinion": f"Written by {reply['written_by']}.",
    }


def known_amounts(state: Settled) -> list[int]:
    """Sums, in minor units, that a reply to this customer may name: those of the bill and of what was given back."""
    lines, receipt = state["comparison"]["candidates"], state["receipt"]
    known = {state["finding"]["amount_cents"]}
    for line in lines:
        known |= {line["amount_cents"], line["owed_cents"], line["amount_cents"] - line["owed_cents"]}
    if receipt:  # a reviewer may have changed the amount
        known.add(int(str(receipt["amount_cents"])))
    return sorted(known)


def currency_of(state: Assessed) -> str:
    """The currency of the disputed line, or of the account's plan."""
    line = state["finding"]["line"]
    plan = cast(JsonObject, state["records"]["plan"])
    return line["currency"] if line else str(plan["currency"])


def _draft(state: Assessed, summary: str, facts: JsonObject) -> Draft:
    line, finding, comparison = _line(state), state["finding"], state["comparison"]
    evidence: list[Evidence] = [
        {"source": "billing.list_charges", "says": line["says"]},
        {"source": "crm.find_customer", "says": comparison["identity_says"]},
    ]
    change: Change = {
        "field": f"{line['charge_id']}, still to be given back",
        "before": write_amount(line["owed_cents"], line["currency"]),
        "after": write_amount(max(0, line["owed_cents"] - finding["amount_cents"]), line["currency"]),
    }
    args: JsonObject = {
        "account_id": state["account_id"],
        "charge_id": line["charge_id"],
        "amount_cents": finding["amount_cents"],
        "currency": line["currency"],
        "charge_version": line["charge_version"],
    }
    return {
        "args": args | ({"invoice_id": line["invoice_id"]} if facts["basis"] == "owed" else {}),
        "facts": facts,
        "summary": summary[:200],
        "reason": finding["reason"],
        "evidence": evidence,
        "diff": [change],
        "opinion": f"{finding['opinion']} ({finding['answered_by']})",
    }


def _line(state: Assessed) -> Line:
    line = state["finding"]["line"]
    if line is None:
        raise ValueError("a remedy without a line of the bill cannot be proposed")
    return line


def _bill(state: Assessed) -> ChargesReply:
    return ChargesReply.model_validate(state["records"]["bill"])


def _name(state: Assessed) -> str:
    return _bill(state).account_holder
