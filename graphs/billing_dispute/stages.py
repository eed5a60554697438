"""The stages of a billing dispute."""

from typing import cast

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from contracts.approval import JsonObject
from contracts.context import Context
from graphs.billing_dispute.comparison import compare
from graphs.billing_dispute.drafts import currency_of, known_amounts
from graphs.billing_dispute.letters import plain_letter, situation
from graphs.billing_dispute.replies import FindingReply, IssueReply, LetterReply
from graphs.billing_dispute.state import (
    Claim,
    Classified,
    Compared,
    Comparison,
    Finding,
    Issue,
    Opened,
    Read,
    Reply,
    Result,
    Settled,
    State,
)
from guards.outgoing import judge_outgoing
from nodes.recovery import or_hand_off
from tools import billing, crm

RECORDS = (crm.find_customer, billing.list_charges, billing.read_price_plan)


async def open_case(state: Claim) -> dict[str, object]:
    """Forget what an earlier case on the same thread left behind."""
    return {
        "clarification": "",
        "rounds": 0,
        "letters": 0,
        "proposal": None,
        "decision": None,
        "receipt": None,
        "problem": None,
        "drift": None,
        "reply_decision": None,
    }


class _Issue(TypedDict):
    issue: Issue


@or_hand_off
async def classify_issue(state: Opened, runtime: Runtime[Context]) -> _Issue:
    """Read the customer's words. What comes back chooses among lines of the bill; it adds none."""
    reply = await runtime.context.models.ask(
        "classify_issue", IssueReply, complaint=state["complaint"], clarification=state["clarification"]
    )
    said = reply.value
    return {
        "issue": Issue(
            kind=said.kind, amount_cents=said.amount_cents, merchant=said.merchant, answered_by=reply.answered_by
        )
    }


class _Records(TypedDict):
    records: JsonObject


@or_hand_off
async def read_records(state: Classified, runtime: Runtime[Context]) -> _Records:
    """Customer, charges and price plan of the account."""
    call, account_id = runtime.context.tools.call, state["account_id"]
    customer = await call(crm.find_customer, crm.CustomerRequest(account_id=account_id))
    bill = await call(billing.list_charges, billing.ChargesRequest(account_id=account_id))
    plan = await call(billing.read_price_plan, billing.PlanRequest(account_id=account_id))
    return {
        "records": {
            "customer": customer.found.model_dump(mode="json") if customer.found else None,
            "bill": bill.model_dump(mode="json"),
            "plan": plan.model_dump(mode="json"),
        }
    }


class _Comparison(TypedDict):
    comparison: Comparison


async def compare_bill(state: Read, runtime: Runtime[Context]) -> _Comparison:
    """The bill against the plan, by rules."""
    records = state["records"]
    customer = crm.Customer.model_validate(records["customer"]) if records["customer"] else None
    bill = billing.ChargesReply.model_validate(records["bill"])
    plan = billing.PricePlan.model_validate(records["plan"])
    return {"comparison": compare(state["issue"], bill, plan, customer, runtime.context.case.opened_on)}


def which_charge(state: Compared) -> str:
    """The question to a customer whose words fit several lines, or none."""
    lines = [f"{x['description']} of {x['posted_on']} ({x['charge_id']})" for x in state["comparison"]["candidates"]]
    if not lines:
        return "Which charge do you mean? Please name the amount, the merchant or the fee, and what is wrong with it."
    return f"Which of these charges do you mean: {'; '.join(lines)}?"


class _Finding(TypedDict):
    finding: Finding
    rounds: int


@or_hand_off
async def assess(state: Compared, runtime: Runtime[Context]) -> _Finding:
    """Ask the model what to do, and let it decide only what the comparison leaves open."""
    comparison, decision = state["comparison"], state["decision"]
    reply = await runtime.context.models.ask(
        "assess_dispute",
        FindingReply,
        complaint=state["complaint"],
        comparison=cast(JsonObject, comparison),
        reviewer_note=decision["message"] if decision else "",
    )
    finding = bounded_finding(comparison, reply.value, reply.answered_by)
    return {"finding": finding, "rounds": state["rounds"] + 1}


def bounded_finding(comparison: Comparison, opinion: FindingReply, answered_by: str) -> Finding:
    """The amount is computed and never the model's; a model that disagrees makes the evidence conflicting."""
    line, owed = comparison["disputed"], comparison["standing"] == "owed"
    goodwill = opinion.goodwill_cents if opinion.remedy == "credit" and line else 0
    agrees = opinion.remedy == "refund" and comparison["identity"] == "confirmed"
    return {
        "remedy": "refund" if owed else "credit" if goodwill else "none",
        "amount_cents": line["owed_cents"] if owed and line else goodwill,
        "line": line,
        "evidence": "clear" if owed and agrees else "conflicting",
        "reason": line["says"] if line else "No line of the bill differs from the plan.",
        "opinion": opinion.reason,
        "answered_by": answered_by,
    }


class _Letter(TypedDict):
    reply: Reply
    letters: int


@or_hand_off
async def draft_reply(state: Settled, runtime: Runtime[Context]) -> _Letter:
    """Have a model write the letter; one with a link or a sum that nobody computed is replaced by the plain one."""
    facts, decision = situation(state), state["reply_decision"]
    reply = await runtime.context.models.ask(
        "draft_reply",
        LetterReply,
        complaint=state["complaint"],
        situation=facts,
        reviewer_note=decision["message"] if decision else "",
    )
    letter = reply.value
    judged = judge_outgoing(
        f"{letter.subject}\n{letter.body}",
        allowed_links=(),
        allowed_amounts_cents=known_amounts(state),
        currency=currency_of(state),
    )
    written: Reply = {"subject": letter.subject, "body": letter.body, "written_by": reply.answered_by}
    if judged.verdict == "block":
        subject, body = plain_letter(facts)
        written = {"subject": subject, "body": body, "written_by": f"template ({'; '.join(judged.findings)})"}
    return {"reply": written, "letters": state["letters"] + 1}


async def close(state: Settled) -> Result:
    """End the case with one of the closed outcomes."""
    decision = state["decision"]
    match decision["type"] if decision else "approve":
        case "expired":
            return {"outcome": "expired", "summary": "Nobody decided about the remedy in time; nothing was paid."}
        case "reject":
            return {"outcome": "rejected", "summary": "The remedy was rejected; nothing was paid."}
        case "approve" | "edit" | "respond":
            return {"outcome": "completed", "summary": str(situation(state)["result"])}


async def hand_off(state: State) -> Result:
    """Leave the case to a person, with what they need to go on."""
    receipt = state.get("receipt")
    done = f" Already done: {receipt}." if receipt else " Nothing was paid."
    return {"outcome": "handed_off", "summary": _why_handed_off(state) + done}


def _why_handed_off(state: State) -> str:
    problem, reply_decision, comparison = state.get("problem"), state.get("reply_decision"), state.get("comparison")
    if problem:
        return f"{problem['stage']} failed ({problem['code']}): {problem['detail']}"
    if reply_decision:
        return f"The reply was not sent ({reply_decision['type']}: {reply_decision['reason']})."
    if comparison:
        return f"The dispute is {comparison['standing'].replace('_', ' ')}. {comparison['identity_says']}"
    return "The dispute could not be understood."
