"""What history says could be automatic: learnt from the older part, tried on the newer, never too eager."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from contracts import policy
from contracts.policy import above, at_most, differs, equals
from engine.operations.relaxing import code_of, relaxed, with_rules
from engine.operations.suggestions import Candidate, Demands, Judgement, Sums, candidates, considered, wilson_lower
from engine.policies.cedar import CedarPolicies
from engine.policies.deciding import decide
from tests.engines import POLICY

START = datetime(2026, 1, 1, tzinfo=UTC)
Says = Callable[[dict[str, Any]], str]


def history(number: int, says: Says, *, looked_s: float | None = 60, seed: int = 7, **fixed: Any) -> list[Judgement]:
    """Decisions about sums up to 1,000 in two currencies, one an hour."""
    random, made = Random(seed), []
    for nth in range(number):
        facts = {"amount": random.randint(1, 1000), "currency": random.choice(["EUR", "JPY"]), "case": f"c-{nth}"}
        facts |= {"nth": nth} | fixed
        at = START + timedelta(hours=nth)
        made.append(Judgement(f"r-{nth}", facts, says(facts), "key:fin", at, looked_s=looked_s))
    return made


def found(judgements: list[Judgement], *, sums: Sums = Sums(amount="amount"), **demands: Any) -> list[Candidate]:  # noqa: B008
    wanted = Demands(**demands)
    return candidates(considered(judgements, wanted), wanted, sums)


def up_to(limit: int) -> Says:
    return lambda facts: "approve" if facts["amount"] <= limit else "reject"


def test_a_limit_up_to_which_everything_was_approved_is_found() -> None:
    best = found(history(300, up_to(400)))[0]

    [condition] = best.when
    assert (condition.fact, condition.operator) == ("amount", "at_most")
    assert 380 <= int(str(condition.value)) <= 400
    assert best.against == []
    assert best.older.lower >= 0.9
    assert best.newer.share >= 0.9


def test_a_few_who_said_something_else_are_told_and_a_stricter_demand_stops_before_them() -> None:
    def says(facts: dict[str, Any]) -> str:
        return "edit" if facts["amount"] in range(700, 720) else "approve"

    loose, strict = found(history(600, says))[0], found(history(600, says), share=0.985)[0]

    assert int(str(loose.when[0].value)) > 950
    assert {one.type for one in loose.against} == {"edit"}
    assert (int(str(strict.when[0].value)) < 700, strict.against) == (True, [])


def test_a_kind_that_is_always_approved_is_found() -> None:
    best = found(history(200, lambda facts: "approve" if facts["currency"] == "EUR" else "edit"))[0]

    assert best.when[0] == equals("currency", "EUR")
    assert (best.when[1].fact, best.when[1].operator) == ("amount", "at_most"), "and no more than has been seen"
    assert best.against == []


def test_sums_are_compared_within_one_currency_alone() -> None:
    def says(facts: dict[str, Any]) -> str:
        return "approve" if facts["amount"] <= (800 if facts["currency"] == "JPY" else 200) else "reject"

    told = found(history(800, says), sums=Sums("currency", "amount"))

    assert told
    for one in told:
        assert not any(c.operator == "at_most" for c in one.when) or one.when[0].fact == "currency"
    assert any(one.when[0] == equals("currency", "JPY") for one in told)


@pytest.mark.parametrize("said", ["reject", "edit", "respond"])
def test_nothing_but_a_plain_approval_counts_for_it(said: str) -> None:
    assert found(history(300, lambda facts: said)) == []
    assert found(history(300, lambda facts: "approve" if facts["amount"] % 2 else said)) == []


def test_habits_that_have_changed_suggest_nothing() -> None:
    def says(facts: dict[str, Any]) -> str:
        return "approve" if facts["nth"] < 140 or facts["amount"] > 990 else "reject"

    assert found(history(200, says)) == [], "learnt from the older part, refuted by the newer"


def test_what_only_names_a_case_is_no_condition() -> None:
    told = found(history(300, lambda facts: "approve"))

    assert told
    assert {condition.fact for one in told for condition in one.when} <= {"amount", "currency"}


@pytest.mark.parametrize(("share", "needed"), [(0.9, 50), (0.95, 105), (0.99, 545)])
def test_how_much_history_it_takes_is_known_beforehand(share: float, needed: int) -> None:
    always = history(needed, lambda facts: "approve")

    assert Demands(share=share).history == needed
    assert found(always, share=share)
    assert found(always[: needed - 3], share=share) == []


def test_who_approves_everything_at_once_can_be_left_out() -> None:
    careful = history(200, up_to(600), looked_s=45)
    hasty = [
        Judgement(f"h-{one.request_id}", one.facts, "approve", "key:rex", one.at, looked_s=2)
        for one in history(1500, up_to(0), seed=8)
    ]

    eager, sober = found([*careful, *hasty])[0], found([*careful, *hasty], at_least_s=10)[0]

    assert int(str(eager.when[0].value)) > 900, "they outvote everybody else"
    assert int(str(sober.when[0].value)) <= 600
    assert {one.by for one in sober.covered} == {"key:fin"}


def test_who_was_not_timed_is_left_out_with_the_hasty() -> None:
    assert considered(history(3, up_to(1), looked_s=None), Demands(at_least_s=1)) == []
    assert len(considered(history(3, up_to(1), looked_s=None), Demands())) == 3


@pytest.mark.parametrize(
    ("plain", "of", "lower"), [(0, 0, 0), (0, 10, 0), (10, 10, 0.722), (45, 50, 0.786), (50, 50, 0.929)]
)
def test_the_lower_end_of_a_share_is_wilsons(plain: int, of: int, lower: float) -> None:
    assert wilson_lower(plain, of) == pytest.approx(lower, abs=0.001)


def test_a_narrowed_rule_asks_everywhere_else() -> None:
    when = (equals("currency", "EUR"), at_most("amount_cents", 20_000))
    rules = relaxed(POLICY, "billing.issue_refund", ["over-limit"], when, "As seen.")
    after = CedarPolicies(with_rules(POLICY, ["over-limit"], rules), agent="trial")

    said = {
        (cents, currency): decide(after, "billing.issue_refund", "", {"amount_cents": cents, "currency": currency}).type
        for cents in (20_000, 20_001)
        for currency in ("EUR", "USD")
    }
    unknown = decide(after, "billing.issue_refund", "", {"amount_cents": 15_000})

    assert said.pop((20_000, "EUR")) == "allow"
    assert {*said.values(), unknown.type} == {"require_approval"}
    assert [rule.when[-1] for rule in rules[:-1]] == [differs("currency", "EUR"), above("amount_cents", 20_000)]


def test_rules_are_told_as_code_that_makes_them() -> None:
    when = (equals("currency", "EUR"), at_most("amount_cents", 20_000))
    rules = relaxed(POLICY, "billing.issue_refund", ["over-limit"], when, "People's habit.")
    assert [eval(code_of(rule), vars(policy)) for rule in rules] == rules
