"""Cedar says of every action what the rules say, and what it does not know, cannot read or fails at opens no gate."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from pydantic import JsonValue

from contracts.errors import ConfigurationError
from contracts.policy import (
    Condition,
    Policy,
    Quorum,
    Rule,
    Verdict,
    above,
    allow,
    at_most,
    contains,
    deny,
    differs,
    equals,
    not_among,
    require_approval,
    waivable,
)
from engine.policies.cedar import CedarPolicies
from engine.policies.deciding import decide
from engine.policies.model import Answer
from tests.engines import POLICY

TOOL = "billing.issue_refund"
MANAGER, PAIR = Quorum(("manager",)), Quorum(("manager", "finance"), needed=2)
ROLES = ("finance", "manager")


def policy(*rules: Rule, **parts: Any) -> Policy:
    return replace(POLICY, rules=rules, roles=ROLES, **parts)


def said(*rules: Rule, handwritten: str = "", **facts: Any) -> Verdict:
    return decide(CedarPolicies(policy(*rules), agent="trial", handwritten=handwritten), TOOL, "BA-1", facts)


def ask(name: str, *when: Condition, quorum: Quorum = MANAGER, within_s: int = 60) -> Rule:
    return require_approval(name, TOOL, *when, quorum=quorum, within_s=within_s, why=f"{name}.")


def free(*when: Condition) -> Rule:
    return allow("free", TOOL, *when, why="Free.")


def refused(name: str, *when: Condition) -> Rule:
    return deny(name, TOOL, *when, why=f"{name}.")


# What the rules mean, said once more and without Cedar.

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "above": lambda fact, value: fact > value,
    "at_most": lambda fact, value: fact <= value,
    "equals": lambda fact, value: fact == value,
    "differs": lambda fact, value: fact != value,
    "not_among": lambda fact, values: fact not in values,
}


def meant(rules: list[Rule], facts: dict[str, JsonValue], types: dict[str, type]) -> tuple[str, str, int]:
    def holds(condition: Condition, *, unknown: bool) -> bool:
        fact = facts.get(condition.fact)
        if type(fact) is not types[condition.fact]:
            return unknown
        return COMPARE[condition.operator](fact, condition.value)

    for verdict in ("deny", "require_approval", "allow"):
        unknown = verdict != "allow"
        fired = [r for r in rules if r.verdict == verdict and all(holds(c, unknown=unknown) for c in r.when)]
        if fired:
            most = max((rule.quorum for rule in fired), key=lambda quorum: quorum.needed)
            return verdict, most.said(), min(rule.within_s for rule in fired)
    return "deny", Quorum((), 0).said(), 0


NUMBER, WORD = some.integers(-3, 3), some.sampled_from(["EUR", "", 'a"b\\', "žluť\n"])
CONDITION = some.one_of(
    some.builds(above, some.just("n"), NUMBER),
    some.builds(at_most, some.just("n"), NUMBER),
    some.builds(equals, some.just("w"), WORD),
    some.builds(differs, some.just("w"), WORD),
    some.lists(WORD).map(lambda words: not_among("w", *words)),
    some.builds(differs, some.just("flag"), some.booleans()),
)
VALUE = some.one_of(NUMBER, WORD, some.booleans(), some.none(), some.just([]), some.just(2**70), some.just(1.5))
RULES = some.lists(
    some.tuples(some.sampled_from(["deny", "one", "two", "allow"]), some.lists(CONDITION, max_size=3)), max_size=5
)
FACTS = some.dictionaries(some.sampled_from(["n", "w", "flag", "other"]), VALUE)
TYPES = {"n": int, "w": str, "flag": bool}


def rule(number: int, kind: str, when: list[Condition]) -> Rule:
    match kind:
        case "deny":
            return refused(f"r{number}", *when)
        case "allow":
            return allow(f"r{number}", TOOL, *when, why="Free.")
    return ask(f"r{number}", *when, quorum=PAIR if kind == "two" else MANAGER, within_s=60 + number)


@settings(max_examples=250, deadline=None)
@given(RULES, FACTS)
def test_cedar_says_what_the_rules_mean(made: list[tuple[str, list[Condition]]], facts: dict[str, Any]) -> None:
    rules = [rule(number, kind, when) for number, (kind, when) in enumerate(made)]
    if facts.get("n") == 2**70:
        facts.pop("n")  # more than Cedar can hold is not known

    verdict = said(*rules, **facts)

    assert (verdict.type, verdict.quorum.said(), verdict.within_s) == meant(rules, facts, TYPES)


def test_sums_are_compared_as_decimals_and_nothing_else_is_a_sum() -> None:
    rules = (ask("large", above("amount", "100.00")), free(at_most("amount", "500")))

    verdicts = [said(*rules, amount=amount).type for amount in ("100.00", "100.01", "99.9999", 5, "5 EUR", 50.0, None)]

    assert verdicts == ["allow", "require_approval", "allow", *["require_approval"] * 4]


def test_a_list_of_texts_is_asked_what_it_holds() -> None:
    rules = (refused("tainted", contains("host_tainted", "args.to")), free())

    assert said(*rules, host_tainted=["args.body"]).type == "allow"
    assert {said(*rules, host_tainted=["args.to"]).type, said(*rules).type} == {"deny"}


@pytest.mark.parametrize(
    "unfit",
    [
        (above("n", 2**63),),
        (above("n", "much"),),
        (equals("n", None),),
        (equals("n", [1]),),
        (equals("n", 1), equals("n", "one")),
        (above("n", "1.00"), equals("n", "one")),
        (contains("n", 1),),  # type: ignore[arg-type]  # what a careless author writes
    ],
)
def test_a_rule_that_cedar_cannot_compare_is_refused(unfit: tuple[Condition, ...]) -> None:
    with pytest.raises(ConfigurationError, match="n"):
        said(refused("unfit", *unfit))


def test_what_denies_is_told_before_what_asks_and_the_most_people_bind_within_the_shortest_time() -> None:
    rules = (ask("one", within_s=60), ask("two", above("n", 1), quorum=PAIR, within_s=90), refused("no", above("n", 2)))

    both = said(*rules, n=2)

    assert (both.rule, both.quorum, both.within_s, both.why) == ("one, two", PAIR, 60, "one. two.")
    assert (said(*rules, n=3).type, said(*rules, n=3).rule) == ("deny", "no")


def test_nobody_is_asked_in_vain() -> None:
    rules = (ask("finance", quorum=Quorum(("finance",))), ask("manager"))

    assert (said(*rules).type, said(*rules).rule) == ("deny", "approval-in-vain")


@pytest.mark.parametrize(
    ("mode", "types"),
    [
        ("shadow", ["deny"] * 4),
        ("read_only", ["deny"] * 4),
        ("any other word", ["deny"] * 4),
        ("approve_all", ["require_approval"] * 3 + ["deny"]),
        ("thresholds", ["allow", "require_approval", "require_approval", "deny"]),
        ("auto", ["allow", "allow", "require_approval", "deny"]),
    ],
)
def test_each_mode_lets_through_what_it_says(mode: str, types: list[str]) -> None:
    rules = (free(), waivable(ask("soft", above("n", 1))), ask("hard", above("n", 2)), refused("no", above("n", 3)))

    assert [said(*rules, n=n, host_mode=mode).type for n in (1, 2, 3, 4)] == types


def test_a_mode_that_asks_denies_where_there_is_nobody_to_ask() -> None:
    engine = CedarPolicies(replace(policy(free()), roles=()), agent="trial")

    assert decide(engine, TOOL, "", {"host_mode": "approve_all"}).rule == "mode-approve-all"


BESIDE = """
@id("night") @why("Nobody pays at night.")
forbid (principal, action, resource) when { context has hour && context.hour > 20 };

@id("doubt") @gate("approval") @role("manager") @quorum("1") @within("60") @why("A doubtful charge.")
forbid (principal, action == Action::"billing.issue_refund", resource)
when { context has charge_id && context.charge_id like "*?*" }
unless { context.host_approved.contains("manager") };
"""


def test_hand_written_cedar_counts_like_a_rule_and_what_it_reads_has_to_be_known() -> None:
    hours = policy(free(), facts={name: {"hour": "whole"} for name in (tool.name for tool in POLICY.tools)})
    engine = CedarPolicies(hours, agent="trial", handwritten=BESIDE)

    def judged(**facts: Any) -> tuple[str, str]:
        verdict = decide(engine, TOOL, "", facts)
        return verdict.type, verdict.rule

    assert judged(hour=12, charge_id="C-1") == ("allow", "free")
    assert judged(hour=21, charge_id="C-1") == ("deny", "night")
    assert judged(hour=12, charge_id="C?") == ("require_approval", "doubt")
    assert judged(charge_id="C-1") == ("deny", "night")
    assert judged(hour=12) == ("require_approval", "doubt")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("permit (principal", "no Cedar"),
        ("permit (principal, action, resource);", "lacks @id"),
        ('@id("a") permit (principal, action, resource);', "lacks @id"),
        ('@id("free") @why("w") forbid (principal, action, resource);', "the name 'free'"),
        ('@id("a") @why("w") forbid (principal, action, resource) when { context.absent };', "schema"),
        ('@id("a") @why("w") forbid (principal, action, resource) when { context == {} };', "as a whole"),
        (
            '@id("a") @why("w") @gate("approval") @role("nobody") @within("1") forbid (principal, action, resource);',
            "gate",
        ),
        ('@id("a") @why("w") permit (principal == ?principal, action, resource);', "template"),
    ],
)
def test_broken_cedar_refuses_to_load(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        said(free(), handwritten=text)


class Broken:
    """An engine of which nothing good comes."""

    def __init__(self, answer: Answer) -> None:
        self.known, self._answer = CedarPolicies(policy(free()), agent="trial").known, answer

    def authorize(self, *_: Any) -> Answer:
        return self._answer


@pytest.mark.parametrize(
    "answer",
    [
        Answer("allow", ("free",), ("a policy was skipped",)),
        Answer("nothing", ()),
        Answer("allow", ()),
        Answer("deny", ()),
    ],
)
def test_an_error_or_an_answer_without_a_reason_denies(answer: Answer) -> None:
    assert decide(Broken(answer), TOOL, "", {}).type == "deny"


def test_a_policy_that_fails_denies_though_cedar_would_skip_it() -> None:
    overflowing = '@id("a") @why("w") forbid (principal, action == Action::"billing.issue_refund", resource)\n'
    overflowing += "when { context has amount_cents && context.amount_cents * 9223372036854775807 < 0 };"

    assert said(free(), handwritten=overflowing, amount_cents=1).type == "allow"
    assert said(free(), handwritten=overflowing, amount_cents=2).rule == "policy-error"


def test_texts_from_outside_are_values_and_never_cedar() -> None:
    nasty = '"}; permit(principal, action, resource); //'
    rules = (refused(nasty, equals("w", nasty)), free(differs("w", nasty)))

    assert [said(*rules, w=w).type for w in (nasty, "x", "\x00", "\ud800")] == ["deny", "allow", "allow", "deny"]
