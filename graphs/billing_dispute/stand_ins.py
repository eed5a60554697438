"""Deterministic rules that answer in place of a model, so that the workflow runs without one. Shown as `stand-in`."""

import re
from collections.abc import Callable, Mapping

from contracts.approval import JsonObject
from graphs.billing_dispute.letters import plain_letter

_KINDS = (
    (
        "unrecognised_charge",
        r"don'?t recogni[sz]e|not recogni[sz]e|did ?n'?o?t make|wasn'?t me|never made|fraud|stolen",
    ),
    ("duplicate_charge", r"twice|two times|double|duplicate|2 times|second time"),
    ("after_cancellation", r"cancel"),
    ("exchange_rate", r"exchange|conversion|currency|rate"),
    ("refund_missing", r"refund.*(not|n't|yet|where|missing|show)|where.*refund"),
    ("dispute_with_merchant", r"never (came|arrived)|did ?n'?o?t (come|arrive)|faulty|broken|return"),
    ("unexpected_fee", r"\bfees?\b|extra|charged? (me )?(for|an?)|why .*charge"),
)
_SUM = re.compile(r"(?<![\w-])(\d{1,6})(?:[.,](\d{2}))?(?![\w-])")


def classify_issue(values: JsonObject) -> JsonObject:
    """The first kind whose words occur; the first number that looks like a sum."""
    text = f"{values['complaint']} {values['clarification']}".casefold()
    kind = next((kind for kind, words in _KINDS if re.search(words, text)), "unclear")
    found = _SUM.search(text)
    amount = int(found[1]) * 100 + int(found[2] or 0) if found else None
    return {"kind": kind, "amount_cents": amount, "merchant": ""}


def assess_dispute(values: JsonObject) -> JsonObject:
    """Agree with the comparison."""
    comparison = values["comparison"]
    if not isinstance(comparison, Mapping) or comparison["standing"] != "owed":
        return {"remedy": "none", "goodwill_cents": 0, "reason": "The bill agrees with the plan.", "evidence": []}
    line = comparison["disputed"]
    charge_id, says = (line["charge_id"], line["says"]) if isinstance(line, Mapping) else ("", "")
    return {"remedy": "refund", "goodwill_cents": 0, "reason": says, "evidence": [charge_id]}


def draft_reply(values: JsonObject) -> JsonObject:
    """The plain letter."""
    situation = values["situation"]
    subject, body = plain_letter(dict(situation) if isinstance(situation, Mapping) else {})
    return {"subject": subject, "body": body}


STAND_INS: dict[str, Callable[[JsonObject], JsonObject]] = {
    "classify_issue": classify_issue,
    "assess_dispute": assess_dispute,
    "draft_reply": draft_reply,
}
