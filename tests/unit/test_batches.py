"""Requests that are decided together: their sums, and those that stand out."""

import pytest

from contracts.policy import Quorum
from engine.approvals.batches import Batch, Sum, _outliers
from engine.approvals.model import ApprovalRequest


def request(number: int, **more: object) -> ApprovalRequest:
    values = dict.fromkeys(ApprovalRequest.__dataclass_fields__) | {"id": f"{number}", "action_digest": f"d{number}"}
    return ApprovalRequest(**values | {"quorum": Quorum(("finance",))} | more)  # type: ignore[arg-type]  # what is left out is not looked at


@pytest.mark.parametrize(
    ("amounts", "far"),
    [
        ([10, 11, 12, 10, 11], []),
        ([10, 11, 12, 10, 900], ["4"]),
        ([10, 10, 10, 10, 10, 11], ["5"]),
        ([10, 900], []),
        ([100, 105, 95, 110, 2, 98], ["4"]),
    ],
)
def test_what_lies_far_from_the_others_stands_out(amounts: list[int], far: list[str]) -> None:
    assert _outliers({str(index): amount for index, amount in enumerate(amounts)}) == far


def test_a_digest_covers_each_request_and_no_order() -> None:
    one, two, changed = request(1), request(2), request(2, action_digest="other")

    assert Batch((one, two), {}, ()).digest == Batch((two, one), {}, ()).digest
    assert Batch((one, two), {}, ()).digest != Batch((one,), {}, ()).digest
    assert Batch((one, two), {}, ()).digest != Batch((one, changed), {}, ()).digest


def test_a_sum_says_what_is_at_stake() -> None:
    assert vars(Sum(60, 10, 30, 20.0)) == {"total": 60, "smallest": 10, "largest": 30, "median": 20.0}
