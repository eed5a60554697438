"""What the billing dispute may do, who decides what it may not, and who answers for it."""

from contracts.policy import (
    Budget,
    Duties,
    Guarded,
    Level,
    Policy,
    Queue,
    above,
    allow,
    deny,
    differs,
    equals,
    not_among,
    require_approval,
)
from graphs.billing_dispute.measures import measure_credit, measure_refund, measure_reply
from guards.calls import STANDARD
from guards.card_numbers import redact_card_numbers
from tools import billing, crm, mail

HOUR_S = 3600
CAPACITY = 1000
"""Cases of a tenant that may wait or be on their way: about what its reviewers decide in a day."""

AUTOMATIC_UP_TO_CENTS = {"EUR": 10_000, "GBP": 9_000, "USD": 10_000, "CHF": 10_000, "SEK": 100_000, "JPY": 15_000}
"""Largest refund, in minor units, that clear evidence pays without a person: about 100 euros."""

REFUND, CREDIT, REPLY = billing.issue_refund.name, billing.issue_credit.name, mail.send_reply.name

POLICY = Policy(
    owner="billing-operations",
    purpose="Give back what was charged wrongly, explain what was charged rightly, and leave the rest to people.",
    success=(
        "Nine of ten disputes end without a person beside the gates, fewer than one in twenty decisions is corrected,"
        " and no refund is paid that nobody approved."
    ),
    duties=Duties(
        prompts="billing-operations",
        rules="finance-control",
        tool_access="platform-security",
        monitoring="billing-operations",
        escalation="head-of-billing",
        review_due="2027-06-30",
    ),
    tools=(
        crm.find_customer,
        billing.list_charges,
        billing.read_price_plan,
        billing.issue_refund,
        billing.issue_credit,
        mail.send_reply,
    ),
    rules=(
        *(
            require_approval(
                f"refund-over-limit-{currency.lower()}",
                REFUND,
                equals("currency", currency),
                above("amount_cents", limit),
                role="finance",
                within_s=24 * HOUR_S,
                why="The refund is above what may be paid without a person.",
            )
            for currency, limit in AUTOMATIC_UP_TO_CENTS.items()
        ),
        require_approval(
            "refund-in-other-currency",
            REFUND,
            not_among("currency", *AUTOMATIC_UP_TO_CENTS),
            role="finance",
            within_s=24 * HOUR_S,
            why="There is no automatic limit for this currency.",
        ),
        require_approval(
            "refund-on-conflicting-evidence",
            REFUND,
            differs("evidence", "clear"),
            role="finance",
            within_s=24 * HOUR_S,
            why="The records, or the model and the records, do not agree.",
        ),
        allow("refund-clear-and-small", REFUND, equals("evidence", "clear"), why="The bill itself shows the mistake."),
        deny("refund-over-owed", REFUND, differs("within_owed", True), why="A refund never exceeds what is owed."),
        deny("credit-over-charge", CREDIT, differs("within_charge", True), why="A credit never exceeds its charge."),
        require_approval(
            "credit-is-goodwill",
            CREDIT,
            role="finance",
            within_s=24 * HOUR_S,
            why="Nothing is owed: this is goodwill, and goodwill is a person's to give.",
        ),
        deny(
            "reply-fails-guard", REPLY, differs("guard", "pass"), why="The reply holds a link or a sum nobody computed."
        ),
        deny("reply-to-unknown-address", REPLY, equals("recipient", "unknown"), why="No register knows this address."),
        require_approval(
            "reply-to-doubtful-address",
            REPLY,
            differs("recipient", "confirmed"),
            role="support",
            within_s=24 * HOUR_S,
            why="The registers disagree about who this customer is.",
        ),
        allow(
            "reply-to-known-address", REPLY, equals("recipient", "confirmed"), why="Both registers name this address."
        ),
    ),
    budget=Budget(tool_calls=20, model_calls=15, seconds=300),
    queue=Queue(
        "billing-disputes",
        target_s=4 * HOUR_S,
        escalation=(Level("group", 8 * HOUR_S, "finance"),),
        capacity=CAPACITY,
    ),
    roles=("finance", "support"),
    measures={REFUND: measure_refund, CREDIT: measure_credit, REPLY: measure_reply},
    input_guards=(redact_card_numbers,),
    guarded=Guarded(
        guards=STANDARD,
        says=("complaint", "account_id"),
        role="finance",
        within_s=24 * HOUR_S,
        unchecked={
            f"{REFUND}.amount_cents": "What is owed is computed from the bill, and refund-over-owed denies more.",
            f"{CREDIT}.amount_cents": "A person gives every credit, and never more than its charge.",
            f"{REPLY}.case_ref": "It is quoted to the customer and leads nowhere.",
        },
    ),
)
