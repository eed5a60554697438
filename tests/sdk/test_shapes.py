"""The check of replies against `langgraph_sdk.schema` can fail."""

from typing import Any

import pytest
from langgraph_sdk.schema import Interrupt, Run, SearchItem, Thread

from tests.sdk.shapes import misfits

AT = "2026-01-01T00:00:00+00:00"
RUN = {
    "run_id": "r",
    "thread_id": "t",
    "assistant_id": "a",
    "created_at": AT,
    "updated_at": AT,
    "status": "success",
    "metadata": {},
    "multitask_strategy": "enqueue",
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"metadata": None}, []),
        ({"cancel_reason": None, "more": 1}, []),
        ({"cancel_reason": 5}, [".cancel_reason"]),
        ({"status": "done"}, [".status"]),
        ({"run_id": 5}, [".run_id"]),
        ({"created_at": "yesterday"}, [".created_at"]),
        ({"created_at": "2026-01-01T00:00:00", "metadata": []}, [".created_at", ".metadata"]),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], said: list[str]) -> None:
    assert [text.split(":")[0] for text in misfits(RUN | change, Run)] == said


def test_what_is_missing_is_named() -> None:
    assert list(misfits({"value": 1}, Interrupt)) == [".id is missing"]
    assert ".interrupts.t[0].id is missing" in list(misfits({"interrupts": {"t": [{"value": 1}]}}, Thread))
    assert list(misfits([], Interrupt)) == [": [] is not an object"]


def test_what_may_be_missing_may() -> None:
    item = {"namespace": ["a"], "key": "k", "value": {}, "created_at": AT, "updated_at": AT}

    assert list(misfits(item, SearchItem)) == []
    assert list(misfits(item | {"score": True}, SearchItem))
