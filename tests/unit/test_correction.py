"""What a model is told of a call that failed: enough to correct itself, and nothing that it should not have."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from contracts.correction import failure_of, find_tool, read_arguments
from contracts.errors import (
    GatehouseError,
    InvalidArguments,
    PolicyDenied,
    ToolOutcomeUnknown,
    ToolUnavailable,
    UnknownTool,
)
from contracts.tool import Call, ToolModel, tool
from docs.pages import error_classes


class Line(ToolModel):
    item: Annotated[str, Field(pattern=r"^IT-[0-9]{3}$")]
    count: Annotated[int, Field(ge=1, le=9)]


class Wanted(ToolModel):
    account_id: Annotated[str, Field(pattern=r"^AC-[0-9]{4,8}$")]
    speed: Literal["slow", "fast"]
    lines: tuple[Line, ...]
    gift: bool = False


@tool(effect="read", scopes=("shop:read",))
async def price_order(request: Wanted, call: Call) -> Line:
    """Say what it costs."""
    return Line(item="IT-001", count=1)


GOOD = {"account_id": "AC-1234", "speed": "fast", "lines": [{"item": "IT-001", "count": 1}]}


def told(args: dict[str, object]) -> dict[str, object]:
    with pytest.raises(InvalidArguments) as failed:
        read_arguments(price_order, GOOD | args)  # type: ignore[operator]  # on purpose
    return dict(failure_of(failed.value))


@pytest.mark.parametrize(
    ("args", "field", "example"),
    [
        ({"account_id": "7"}, "account_id", "AC-0000"),
        ({"speed": "warp"}, "speed", "slow"),
        ({"gift": "perhaps"}, "gift", True),
        ({"lines": [{"item": "IT-001", "count": 0}]}, "lines.0.count", 1),
        ({"lines": [{"item": "one", "count": 1}]}, "lines.0.item", "IT-000"),
    ],
)
def test_a_wrong_argument_is_told_with_what_is_allowed_and_an_example(
    args: dict[str, object], field: str, example: object
) -> None:
    failure = told(args)
    (problem,) = failure["problems"]  # type: ignore[misc]  # a list of one

    assert (failure["code"], failure["category"], failure["retryable"]) == ("invalid_arguments", "logic", False)
    assert (problem["field"], problem["example"]) == (field, example)
    assert problem["allowed"]
    assert field in str(failure["message"])


def test_whoever_takes_the_example_gets_through() -> None:
    failure = told({"account_id": "7", "speed": "warp"})
    corrected = {problem["field"]: problem["example"] for problem in failure["problems"]}  # type: ignore[attr-defined]

    assert read_arguments(price_order, GOOD | corrected)  # type: ignore[operator]  # as a model would


def test_an_argument_that_the_tool_does_not_have_is_named_with_its_neighbour() -> None:
    (problem,) = told({"acount_id": "AC-1234"})["problems"]  # type: ignore[misc]

    assert problem["field"] == "acount_id"
    assert "did you mean 'account_id'?" in problem["says"]


def test_what_was_sent_is_not_repeated() -> None:
    assert "hunter2-hunter2" not in str(told({"account_id": "hunter2-hunter2"}))


@pytest.mark.parametrize(
    ("name", "alike", "meant"),
    [
        (f"{price_order.system}.price_ordr", False, True),
        (f"{price_order.system}.pric\u0435_order", True, True),  # a Cyrillic letter
        (f"{price_order.system}.PriceOrder", True, True),
        (f"{price_order.system}.prlce_order", True, True),
        ("mail.burn_everything_down", False, False),
    ],
)
def test_an_unknown_tool_is_told_what_there_is(name: str, alike: bool, meant: bool) -> None:
    with pytest.raises(UnknownTool) as failed:
        find_tool(name, [price_order])
    failure = failure_of(failed.value)

    assert ("only looks like" in failure["message"]) is alike
    assert ("Did you mean" in failure["hint"]) is meant
    assert price_order.name in failure["hint"]
    assert failure["code"] == "unknown_tool"


def test_the_tool_of_that_name_is_found() -> None:
    assert find_tool(price_order.name, [price_order]) is price_order


def test_every_error_says_category_message_hint_and_whether_to_repeat() -> None:
    failures = [failure_of(kind("It failed.", facts={"problems": []})) for kind in error_classes()]

    assert all(failure["message"] and failure["hint"] and failure["category"] for failure in failures)


@pytest.mark.parametrize(
    ("error", "retryable", "hint"),
    [
        (ToolUnavailable("No answer."), True, "once more"),
        (ToolOutcomeUnknown("No answer."), False, "Do not repeat"),
        (PolicyDenied("Too much."), False, "Do not try the same again"),
    ],
)
def test_only_what_may_be_repeated_is_said_to_be(error: GatehouseError, retryable: bool, hint: str) -> None:
    failure = failure_of(error)

    assert (failure["retryable"], hint in failure["hint"]) == (retryable, True)
