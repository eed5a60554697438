"""What of a workflow's review could become automatic, told from its history: only told, nothing is changed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import Any

from psycopg.rows import DictRow

from contracts.errors import ConfigurationError
from contracts.policy import Condition, Policy
from contracts.tool import AnyTool
from engine.approvals.history import cases_since, decided_requests
from engine.approvals.model import DECISION_OF
from engine.catalog.policy import facts_of
from engine.catalog.workflow import Workflow
from engine.operations.examples import Example
from engine.operations.relaxing import code_of, relaxed, with_rules
from engine.operations.suggestions import Candidate, Demands, Held, Judgement, Sums, candidates, considered
from engine.policies.cedar import CedarPolicies
from engine.policies.deciding import decide
from engine.store.database import Connection

Json = dict[str, Any]
_NOTHING = "no condition on the facts says, with this much behind it, when people just approve"


@dataclass(frozen=True)
class Wish:
    """What is looked for."""

    demands: Demands
    last: int = 500
    """Decisions of each rule that are looked at, the newest."""
    irreversible: bool = False
    """Whether tools are looked at whose effect cannot be taken back."""


async def suggest_rules(conn: Connection, workflow: Workflow, wish: Wish, *, tenant: str) -> list[Json]:
    """For each tool and rule by which people were asked: `suggestions`, or why there are none (`refused`)."""
    rows = await decided_requests(conn, tenant=tenant, workflow=workflow.name, last=wish.last)
    told = []
    for (tool, rule), group in groupby(rows, key=lambda row: (row["tool"], row["rule"])):
        decided = list(group)
        cases = await cases_since(conn, tenant=tenant, workflow=workflow.name, ids=[str(row["id"]) for row in decided])
        judged = [_judgement(workflow.policy, row) for row in decided]
        told.append(_told(workflow, tool, rule, judged, wish) | {"cases": cases})
    return [_with_savings(one) for one in told]


def suggest_from(workflow: Workflow, examples: Sequence[Example], wish: Wish) -> list[Json]:
    """The same of decisions that stand in a file; its cases are those that it names."""
    own = sorted(
        (one for one in examples if one.workflow == workflow.name), key=lambda one: (one.tool, one.rule, one.at)
    )
    cases = len({one.case for one in own})
    told = []
    for (tool, rule), group in groupby(own, key=lambda one: (one.tool, one.rule)):
        judged = [_of_example(workflow.policy, one) for one in [*group][-wish.last :]]
        told.append(_with_savings(_told(workflow, tool, rule, judged, wish) | {"cases": cases}))
    return told


def _with_savings(told: Json) -> Json:
    for suggestion in told["suggestions"]:
        suggestion["saved_a_case"] = round(suggestion["covered"] / told["cases"], 3) if told["cases"] else 0.0
    return told


def _told(workflow: Workflow, tool_name: str, rule: str, judged: Sequence[Judgement], wish: Wish) -> Json:
    policy, asking = workflow.policy, rule.split(", ")
    history = considered(judged, wish.demands)
    told: Json = {
        "workflow": workflow.name,
        "tool": tool_name,
        "rule": rule,
        "decisions": len(judged),
        "considered": len(history),
        "by": dict(Counter(one.by for one in history).most_common()),
        "looked_p50_s": _looked(history),
    }
    tool = next((tool for tool in policy.tools if tool.name == tool_name), None)
    refused = _refusal(tool, asking, policy, wish) or _too_little(history, wish.demands)
    if refused or tool is None:
        return told | {"refused": refused, "suggestions": []}
    fit = candidates(history, wish.demands, Sums(tool.currency, tool.amount))
    suggestions = [made for one in fit if (made := _suggestion(policy, tool_name, asking, one, history))]
    nothing = (
        "" if suggestions else "no condition on the facts says, with this much behind it, when people just approve"
    )
    return told | {"refused": nothing, "suggestions": suggestions}


def _refusal(tool: AnyTool | None, asking: Sequence[str], policy: Policy, wish: Wish) -> str:
    rules = [rule for rule in policy.rules if rule.id in asking]
    if tool is None or len(rules) < len(asking):
        return "the loaded policy has no such rule any more"
    if any(rule.quorum.needed > 1 for rule in rules):
        return "several people are asked: what needs more than one is not a matter of habit"
    if tool.reversibility == "irreversible" and not wish.irreversible:
        return "its effect cannot be taken back; look at it with --irreversible"
    return ""


def _too_little(history: Sequence[Judgement], demands: Demands) -> str:
    missing = demands.history - len(history)
    if missing <= 0:
        return ""
    return f"too little history: {len(history)} decisions of the {demands.history} that it takes, {missing} are missing"


def _suggestion(
    policy: Policy, tool: str, asking: Sequence[str], candidate: Candidate, history: Sequence[Judgement]
) -> Json | None:
    covered = len(candidate.covered)
    plain = covered - len(candidate.against)
    why = f"People approved {plain} of {covered} such requests as they were."
    rules = relaxed(policy, tool, asking, candidate.when, why)
    if not _changes_only(policy, with_rules(policy, asking, rules), tool, candidate, history):
        return None
    return {
        "when": [vars(condition) for condition in candidate.when],
        "says": " and ".join(map(_said, candidate.when)),
        "allow": code_of(rules[-1]),
        "instead": [code_of(rule) for rule in rules[:-1]],
        "covered": covered,
        "older": _held(candidate.older),
        "newer": _held(candidate.newer),
        "by": dict(Counter(one.by for one in candidate.covered).most_common()),
        "looked_p50_s": _looked(candidate.covered),
        "against": [_against(one, candidate.when) for one in candidate.against],
    }


def _changes_only(before: Policy, after: Policy, tool: str, candidate: Candidate, history: Sequence[Judgement]) -> bool:
    """Whether the changed policy really allows what is covered, and says of the rest what it said."""
    covered = {one.request_id for one in candidate.covered}
    try:
        was_judged, is_judged = (CedarPolicies(policy, agent=tool) for policy in (before, after))
    except ConfigurationError:  # a fact that policy could not compare
        return False
    said = [(one, decide(was_judged, tool, "", one.facts), decide(is_judged, tool, "", one.facts)) for one in history]
    return all(
        now.type == "allow" if one.request_id in covered and was.type != "deny" else now.type == was.type
        for one, was, now in said
    )


def _judgement(policy: Policy, row: DictRow) -> Judgement:
    return Judgement(
        request_id=str(row["id"]),
        facts=facts_of(policy, row["tool"], row["args"], row["facts"]),
        type=DECISION_OF[row["status"]],
        by=row["decided_by"],
        at=row["decided_at"],
        reason_code=row["reason_code"],
        reason=row["reason"] or row["message"],
        looked_s=row["looked_s"],
    )


def _of_example(policy: Policy, one: Example) -> Judgement:
    facts = facts_of(policy, one.tool, one.args, one.facts)
    said = (one.decision, one.by, one.at, one.reason_code, one.reason, one.looked_s)
    return Judgement(one.request, facts, *said)


def _against(one: Judgement, when: Sequence[Condition]) -> Json:
    facts = {condition.fact: one.facts.get(condition.fact) for condition in when}
    said = {"decision": one.type, "by": one.by, "reason_code": one.reason_code, "reason": one.reason}
    return {"request_id": one.request_id, "at": one.at, **said, "facts": facts}


def _said(condition: Condition) -> str:
    return f"{condition.fact} {condition.operator.replace('_', ' ')} {condition.value}"


def _held(held: Held) -> Json:
    shares = {"share": round(held.share, 4), "lower": round(held.lower, 4)}
    return {"covered": held.covered, "approved": held.plain, **shares}


def _looked(history: Sequence[Judgement]) -> float | None:
    known = [one.looked_s for one in history if one.looked_s is not None]
    return round(median(known), 1) if known else None
