"""What readers of messages are told when another worker goes on: what was under way begins anew."""

from datetime import UTC, datetime
from typing import Any

import orjson
from langchain_core.messages import AIMessageChunk

from api.partials import Partials
from api.protocol_events import Translator
from engine.runs.pages import ThreadEvent
from engine.worker.wire import encode

ATTEMPT = ("metadata", {"run_id": "r", "attempt": 2})


def kept(*events: tuple[str, Any]) -> list[ThreadEvent]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        ThreadEvent(number, name, encode(data), run_id="r", workflow="talk", at=at, went_on=False)
        for number, (name, data) in enumerate(events, start=1)
    ]


def piece(text: str) -> tuple[str, Any]:
    return "messages", [AIMessageChunk(text, id="m"), {"langgraph_node": "answer"}]


def test_a_growing_message_begins_anew() -> None:
    partials = Partials()

    shown = [partials.grown(event) for event in kept(piece("Hel"), ATTEMPT, piece("Hel"), piece("lo"))]

    texts = [orjson.loads(event.data)[0]["content"] for event in shown if event.name == "messages/partial"]
    assert texts == ["Hel", "Hel", "Hello"]


def test_the_protocol_gives_up_the_message_that_was_under_way() -> None:
    translator = Translator()

    told = [event for one in kept(piece("Hel"), ATTEMPT, piece("Hello")) for event in translator.events(one)]

    assert [(event["method"], event["params"]["data"]["event"]) for event in told] == [
        ("messages", "message-start"),
        ("messages", "content-block-start"),
        ("messages", "content-block-delta"),
        ("messages", "error"),
        ("lifecycle", "running"),
        ("messages", "message-start"),
        ("messages", "content-block-start"),
        ("messages", "content-block-delta"),
    ]
    assert [event["seq"] for event in told] == [1000, 1001, 1002, 2000, 2001, 3000, 3001, 3002]
    assert {event["params"].get("node") for event in told if event["method"] == "messages"} == {"answer"}
