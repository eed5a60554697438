"""The six classes of effects about which somebody is asked, unless a policy says why not."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from contracts.policy import Policy, Rule, above, allow, equals, require_approval, waivable, waive
from contracts.tool import GateClass
from engine.catalog.gate_classes import ungated
from tests.engines import POLICY
from tools import billing

REFUND = billing.issue_refund
FREE = allow("free", REFUND.name, why="Free.")
ASK = require_approval("ask", REFUND.name, above("amount_cents", 1), role="finance", within_s=60, why="Ask.")
FROM_WHERE = require_approval(
    "from", REFUND.name, equals("host_guard_asks", True), role="finance", within_s=60, why="?"
)


def policy(*rules: Rule, **parts: Any) -> Policy:
    tools = (replace(REFUND, sinks={}, gate_class=parts.pop("of", "publishing")),)
    return replace(POLICY, tools=tools, rules=rules, **parts)


@pytest.mark.parametrize("of", get_args(GateClass))
def test_each_class_asks_by_default(of: GateClass) -> None:
    assert [of in problem for problem in ungated(policy(FREE, of=of))] == [True]
    assert list(ungated(policy(FREE, ASK, of=of))) == []


def test_there_are_six() -> None:
    assert len(get_args(GateClass)) == 6


def test_to_ask_where_values_come_from_is_not_to_ask_about_the_effect() -> None:
    assert len(list(ungated(policy(FREE, FROM_WHERE)))) == 1


def test_a_reasoned_waiver_stands_in_for_a_person_and_nothing_else_does() -> None:
    assert list(ungated(policy(FREE, waivers=(waive(REFUND.name, why="Tiny sums."),)))) == []
    assert len(list(ungated(policy(FREE, waivers=(waive(REFUND.name, why=" "),))))) == 1
    assert len(list(ungated(policy(FREE, ASK, waivers=(waive("mail.send_reply", why="w"),))))) == 1


def test_what_asks_about_a_class_is_not_passed_by_in_the_mode_auto_without_a_reason() -> None:
    soft = waivable(ASK)

    assert len(list(ungated(policy(FREE, soft)))) == 1
    assert list(ungated(policy(FREE, soft, waivers=(waive(REFUND.name, why="Tiny sums."),)))) == []


def test_a_tool_of_no_class_needs_no_person() -> None:
    assert list(ungated(policy(FREE, of=None))) == []
