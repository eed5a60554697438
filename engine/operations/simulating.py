"""What policies as they are loaded say of requests that others judged before, and how two versions of them differ."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from psycopg.rows import DictRow

from contracts.approval import JsonObject
from contracts.errors import InvalidRequest, ToolNotGranted
from engine.approvals.model import DECISION_OF, ApprovalRequest
from engine.catalog.manifest import differences
from engine.catalog.workflow import Workflow

Json = dict[str, Any]


def judged_anew(workflow: Workflow, rows: Sequence[DictRow]) -> Json:
    """The recorded requests, as `judged_requests` reads them, of which the loaded policy says something else."""
    changed = [change for row in rows if (change := _change(workflow, row))]
    told = {"workflow": workflow.name, "version": workflow.version, "requests": len(rows), "changed": changed}
    return told | {"decisions": _decisions(rows, changed)}


def _decisions(rows: Sequence[DictRow], changed: Sequence[Json]) -> Json:
    """What would have become of what people decided: how many decisions stand there, and what of them would differ."""
    fates = Counter(change["decision_would_be"] for change in changed)
    people = sum(bool(_decision(row)) for row in rows)
    return {"by_people": people} | {
        fate: fates[fate] for fate in ("overruled", "spared", "asked_otherwise", "asked_anew")
    }


def explained_request(workflow: Workflow | None, request: ApprovalRequest) -> Json:
    """What policy knew, what it said, and the text of what fired where the policy is still the loaded one."""
    loaded = workflow is not None and workflow.policy_version == request.policy_version
    texts = workflow.policies.texts(request.tool) if workflow and loaded else {}
    names = request.rule.split(", ")
    said = ("id", "tool", "args", "facts", "host", "verdict", "rule", "why", "role", "policy_version")
    told = {name: getattr(request, name) for name in said}
    return told | {"loaded": loaded, "fired": {name: texts[name] for name in names if name in texts}}


def differing_rules(before: JsonObject, after: JsonObject) -> list[Json]:
    """Each rule, and each other value of a policy, that two manifests do not share."""
    return [*_rules(before, after), *_others(before, after)]


_SAID_BY_PEOPLE = ("approved", "edited", "rejected", "responded")


def _change(workflow: Workflow, row: DictRow) -> Json | None:
    was = {"request_id": str(row["id"]), "tool": row["tool"], "was": row["verdict"], "was_rule": row["rule"]}
    try:
        verdict = workflow.judge(row["tool"], row["args"], row["facts"], row["host"]).verdict
    except (InvalidRequest, ToolNotGranted) as error:
        return was | {"now": "refused", "now_rule": error.code, **_fate(row, "refused")}
    if (verdict.type, verdict.quorum.said()) == (row["verdict"], row["role"]):
        return None
    now = f"{verdict.type} {verdict.quorum.said()}" if verdict.quorum.roles else verdict.type
    return was | {"now": now, "now_rule": verdict.rule, **_fate(row, verdict.type)}


def _decision(row: DictRow) -> str:
    """What a person said of it; empty where nobody was asked or nobody has answered."""
    return DECISION_OF[row["status"]] if row["requested_at"] and row["status"] in _SAID_BY_PEOPLE else ""


def _fate(row: DictRow, now: str) -> Json:
    """What would have become of a person's decision.

    `overruled`: done although they did not plainly agree, or refused although they did. `spared`: it would have gone
    the same way without them. `asked_otherwise`: by another rule or of somebody else. `asked_anew`: nobody was asked.
    """
    decision = _decision(row)
    if not decision:
        fate = "asked_anew" if now == "require_approval" else ""
    elif now == "require_approval":
        fate = "asked_otherwise"
    else:
        agrees = decision == "approve" if now == "allow" else decision in ("reject", "respond")
        fate = "spared" if agrees else "overruled"
    return {"decision": decision, "by": row["decided_by"] if decision else None, "decision_would_be": fate}


def _rules(before: JsonObject, after: JsonObject) -> Iterator[Json]:
    older, newer = _part(before, "rules"), _part(after, "rules")
    for name in sorted(older.keys() | newer.keys()):
        was, now = older.get(name), newer.get(name)
        if was != now:
            change = "added" if was is None else "removed" if now is None else "changed"
            yield {"change": change, "what": f"rule {name}", "before": _said(was), "after": _said(now)}


def _others(before: JsonObject, after: JsonObject) -> Iterator[Json]:
    older, newer = ({k: v for k, v in _part(m).items() if k not in _TOLD} for m in (before, after))
    for path, was, now in differences(older, newer):
        yield {"change": "changed", "what": path, "before": was, "after": now}


_TOLD = ("rules", "order_of_rules", "version")


def _part(manifest: JsonObject, *names: str) -> Json:
    found: Any = manifest.get("policy")
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _said(rule: Json | None) -> str | None:
    """A rule in one line: verdict, tool, conditions, and who is asked within which time."""
    if rule is None:
        return None
    when = " and ".join(f"{c['fact']} {c['operator'].replace('_', ' ')} {c['value']}" for c in rule["when"])
    quorum = rule["quorum"]
    who = f": {quorum['needed']} of {', '.join(quorum['roles'])} within {rule['within_s']} s" if quorum["roles"] else ""
    return f"{rule['verdict']} {rule['tool']}{f' when {when}' if when else ''}{who}"
