"""Billing dispute: read complaint and records, compare bill and plan, propose, have a person decide, pay, reply."""

from typing import Literal

from langgraph.graph import END, START, StateGraph

from contracts.context import Context
from graphs.billing_dispute import drafts, stages
from graphs.billing_dispute.state import Answered, Assessed, Claim, Compared, Result, State
from nodes.effect import carries_out
from nodes.kinds import reads, thinks
from nodes.recovery import unless_stuck
from nodes.waiting import approval_gate, clarification, on_decision, proposes
from tools.billing import issue_credit, issue_refund
from tools.mail import send_reply

MAX_ROUNDS = 3


def after_compare(state: Compared) -> Literal["ask_which_charge", "assess", "hand_off"]:
    match state["comparison"]["standing"]:
        case "owed" | "nothing_owed":
            return "assess"
        case "unclear":
            return "hand_off" if state["clarification"] else "ask_which_charge"
        case "not_ours":
            return "hand_off"


def after_assess(state: Assessed) -> Literal["freeze_refund", "freeze_credit", "draft_reply", "hand_off"]:
    if state["rounds"] > MAX_ROUNDS:
        return "hand_off"
    match state["finding"]["remedy"]:
        case "refund":
            return "freeze_refund"
        case "credit":
            return "freeze_credit"
        case "none":
            return "draft_reply"


def after_draft(state: Answered) -> Literal["freeze_reply", "hand_off"]:
    return "hand_off" if state["letters"] > MAX_ROUNDS else "freeze_reply"


REMEDY_NOT_APPROVED = {"respond": "assess", "reject": "draft_reply", "expired": "close"}
REPLY_NOT_APPROVED = {"respond": "draft_reply", "reject": "hand_off", "expired": "hand_off"}

flow = StateGraph(State, context_schema=Context, input_schema=Claim, output_schema=Result)

flow.add_node("open_case", stages.open_case)
flow.add_node("classify_issue", stages.classify_issue, **thinks("classify_issue"))
flow.add_node("read_records", stages.read_records, **reads(*stages.RECORDS))
flow.add_node("compare_bill", stages.compare_bill)
flow.add_node("ask_which_charge", **clarification(stages.which_charge, into="clarification"))
flow.add_node("assess", stages.assess, **thinks("assess_dispute"))
flow.add_node("freeze_refund", **proposes(issue_refund, drafts.refund_draft))
flow.add_node("approve_refund", **approval_gate(issue_refund))
flow.add_node("pay_refund", **carries_out(issue_refund, into="receipt", drift="drift"))
flow.add_node("freeze_credit", **proposes(issue_credit, drafts.credit_draft))
flow.add_node("approve_credit", **approval_gate(issue_credit))
flow.add_node("grant_credit", **carries_out(issue_credit, into="receipt", drift="drift"))
flow.add_node("draft_reply", stages.draft_reply, **thinks("draft_reply"))
flow.add_node("freeze_reply", **proposes(send_reply, drafts.reply_draft, into="reply_proposal"))
flow.add_node("approve_reply", **approval_gate(send_reply, proposal="reply_proposal", decision="reply_decision"))
flow.add_node("send_reply", **carries_out(send_reply, into="sent", proposal="reply_proposal"))
flow.add_node("close", stages.close)
flow.add_node("hand_off", stages.hand_off)

flow.add_edge(START, "open_case")
flow.add_edge("open_case", "classify_issue")
flow.add_conditional_edges("classify_issue", unless_stuck("read_records"))
flow.add_conditional_edges("read_records", unless_stuck("compare_bill"))
flow.add_conditional_edges("compare_bill", after_compare)
flow.add_edge("ask_which_charge", "classify_issue")
flow.add_conditional_edges("assess", unless_stuck(after_assess))
flow.add_edge("freeze_refund", "approve_refund")
flow.add_conditional_edges("approve_refund", **on_decision(approve="pay_refund", **REMEDY_NOT_APPROVED))
flow.add_conditional_edges("pay_refund", unless_stuck("draft_reply", drifted="read_records"))
flow.add_edge("freeze_credit", "approve_credit")
flow.add_conditional_edges("approve_credit", **on_decision(approve="grant_credit", **REMEDY_NOT_APPROVED))
flow.add_conditional_edges("grant_credit", unless_stuck("draft_reply", drifted="read_records"))
flow.add_conditional_edges("draft_reply", unless_stuck(after_draft))
flow.add_edge("freeze_reply", "approve_reply")
flow.add_conditional_edges(
    "approve_reply", **on_decision(of="reply_decision", approve="send_reply", **REPLY_NOT_APPROVED)
)
flow.add_conditional_edges("send_reply", unless_stuck("close"))
flow.add_edge("close", END)
flow.add_edge("hand_off", END)

graph = flow.compile(name="billing_dispute")
