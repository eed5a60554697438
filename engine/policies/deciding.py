"""The three-valued decision over an engine that only knows two: allow, deny, or ask these people first."""

from collections.abc import Sequence

from contracts.approval import JsonObject
from contracts.policy import Quorum, Verdict
from engine.policies.model import Answer, Known, PolicyEngine

_SILENCE = ("silence", "No rule of this workflow's policy speaks of this action, so it is denied.")
_ERROR = "policy-error"
_IN_VAIN = "approval-in-vain"


def decide(engine: PolicyEngine, tool: str, target: str, facts: JsonObject) -> Verdict:
    """What policy says of calling `tool` under `facts` (arguments included), with the rules that said it.

    First with nobody's approval; where only gates stand in the way, once more with the approvals that they want: nobody
    is asked in vain. An error, or an answer that is none, denies.
    """
    known = engine.known.get(tool)
    if known is None:
        return Verdict("deny", *_SILENCE, inputs=facts)
    answer = engine.authorize(tool, target, facts, ())
    if denied := _failed(answer, facts):
        return denied
    fired = [one for one in known.values() if one.id in answer.fired]
    against = [one for one in fired if one.verdict == "deny"]
    gates = [one for one in fired if one.verdict == "require_approval"]
    if against:
        return _verdict(against, facts)
    if gates:
        return _ask(engine, tool, target, facts, gates)
    if answer.said == "allow" and fired:
        return _verdict(fired, facts)
    return Verdict("deny", *_SILENCE, inputs=facts)


def _ask(engine: PolicyEngine, tool: str, target: str, facts: JsonObject, gates: Sequence[Known]) -> Verdict:
    # The catalog refuses policies in which the largest quorum would leave out anybody whom another rule asks.
    most = max((gate.quorum for gate in gates), key=lambda quorum: quorum.needed)
    covered = tuple(dict.fromkeys(gate.quorum.said() for gate in gates if most.covers(gate.quorum)))
    answer = engine.authorize(tool, target, facts, covered)
    if denied := _failed(answer, facts):
        return denied
    if answer.said != "allow" or not all(most.covers(gate.quorum) for gate in gates):
        why = "Even with the approvals that it wants, policy would not allow it, so nobody is asked."
        return Verdict("deny", _IN_VAIN, why, inputs=facts)
    return _verdict(gates, facts, most)


def _failed(answer: Answer, facts: JsonObject) -> Verdict | None:
    if not answer.errors and answer.said != "nothing":
        return None
    said = "; ".join(answer.errors) or "the engine gave no decision"
    return Verdict("deny", _ERROR, f"Policy could not be evaluated, so it is denied: {said}"[:1000], inputs=facts)


def _verdict(fired: Sequence[Known], facts: JsonObject, quorum: Quorum | None = None) -> Verdict:
    rules, reasons = ", ".join(one.id for one in fired), " ".join(one.why for one in fired)
    within_s = min(one.within_s for one in fired)
    return Verdict(fired[0].verdict, rules, reasons, quorum or fired[0].quorum, within_s, facts)
