"""What is streamed becomes JSON text, whatever it is."""

import collections
import datetime
import decimal
import enum
import json
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk, HumanMessage
from langgraph.types import Interrupt
from pydantic import BaseModel

from contracts.errors import ModelUnavailable
from engine.worker.wire import encode


class Colour(enum.Enum):
    RED = "red"


class Refuses(BaseModel):
    inner: Any

    def model_dump(self, **_: Any) -> dict[str, Any]:
        raise ValueError("cannot")


@dataclass
class Point:
    x: int
    at: datetime.date


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (HumanMessage("hi", id="1"), {"content": "hi", "type": "human", "id": "1", "name": None}),
        (AIMessageChunk("h", id="2"), {"content": "h", "type": "AIMessageChunk", "id": "2", "tool_call_chunks": []}),
    ],
)
def test_messages_are_sent_as_the_reference_does(value: Any, sent: dict[str, Any]) -> None:
    told = json.loads(encode([value]))[0]

    assert {key: told[key] for key in sent} == sent


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (Interrupt(value={"a": 1}, id="i"), {"id": "i", "value": {"a": 1}}),
        (ValueError("secret"), "ValueError"),
        (ModelUnavailable("it is away"), "it is away"),
        ({1: {"b", "a"}}, {"1": ["a", "b"]}),
        (Point(1, datetime.date(2026, 1, 2)), {"x": 1, "at": "2026-01-02"}),
        ([Colour.RED, b"ab", uuid.UUID(int=1)], ["red", "YWI=", "00000000-0000-0000-0000-000000000001"]),
        (collections.deque([1]), [1]),
        (collections.ChainMap({"a": 1}), {"a": 1}),
        ([object(), iter([1]), int], ["<object>", "<list_iterator>", "<type>"]),
        (2**70, 2**70),
        ([2**70, {(1, 2): Colour.RED}], [2**70, {"(1, 2)": "red"}]),
        ("half \ud800", "half ?"),
        ([2**70, float("inf"), decimal.Decimal("1.5")], [2**70, None, "1.5"]),
        ([Refuses(inner=1)], ["<Refuses>"]),
        ({"a": HumanMessage("\ud800", id="1")}["a"].content, "?"),
    ],
)
def test_anything_is_sent_somehow(value: Any, sent: Any) -> None:
    assert json.loads(encode(value)) == sent


def test_what_has_no_end_is_cut() -> None:
    endless: list[Any] = []
    endless.append(endless)

    assert encode(endless).count("[") == 100


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=20))
def test_json_comes_back_as_it_was(value: Any) -> None:
    assert json.loads(encode(value)) == value
