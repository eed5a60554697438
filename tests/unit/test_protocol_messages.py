"""Messages as the event stream protocol tells them, put together again by LangChain's own reader."""

from typing import Any

import orjson
import pytest
from langchain_core.language_models.chat_model_stream import ChatModelStream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage

from api.protocol_messages import Growing, whole_message
from engine.worker.wire import encode

CALL: dict[str, Any] = {"name": "add", "args": {"a": 1}, "id": "call-1", "type": "tool_call"}


def kept(message: BaseMessage) -> dict[str, Any]:
    """A message as it comes back from where events are kept."""
    return dict(orjson.loads(encode(message)))


def calling(args: str, *, name: str | None = None, call_id: str | None = None, index: int = 0) -> AIMessageChunk:
    piece: Any = {"name": name, "args": args, "id": call_id, "index": index, "type": "tool_call_chunk"}
    return AIMessageChunk("", id="m", tool_call_chunks=[piece])


def read(told: list[dict[str, Any]]) -> AIMessage:
    """What LangChain makes of protocol events."""
    stream = ChatModelStream(namespace=[], node=None, message_id=None)
    for event in told:
        stream.dispatch(event)
    return stream.output


@pytest.mark.parametrize(
    ("pieces", "text", "calls"),
    [
        ([AIMessageChunk("Hel", id="m"), AIMessageChunk("lo", id="m")], "Hello", []),
        ([AIMessageChunk("", id="m"), AIMessageChunk("Hi", id="m", chunk_position="last")], "Hi", []),
        ([AIMessageChunk([{"type": "text", "text": "a", "index": 0}], id="m"), AIMessageChunk("", id="m")], "a", []),
        ([calling("", name="add", call_id="call-1"), calling('{"a"'), calling(": 1}")], "", [CALL]),
        (
            [
                AIMessageChunk("I add.", id="m"),
                calling('{"a": 1}', name="add", call_id="call-1", index=1),
                calling("", name="add", call_id="call-2", index=2),
                calling('{"a": 1}', index=2),
            ],
            "I add.",
            [CALL, CALL | {"id": "call-2"}],
        ),
    ],
)
def test_pieces_make_the_message_again(pieces: list[AIMessageChunk], text: str, calls: list[Any]) -> None:
    growing = Growing("m", (), {"langgraph_node": "answer"})

    told = [event for piece in pieces for event in growing.piece(kept(piece))] + list(growing.end())
    message = read(told)

    assert (str(message.text), [dict(call) for call in message.tool_calls], message.id) == (text, calls, "m")
    assert [told[0]["event"], told[-1]["event"]] == ["message-start", "message-finish"]
    assert {event["message_id"] for event in told} == {"m"}


@pytest.mark.parametrize("message", [AIMessage("Hello", id="m", tool_calls=[CALL]), HumanMessage("Hello", id="m")])
def test_a_whole_message_is_told_like_one_that_was_streamed(message: BaseMessage) -> None:
    told = list(whole_message(kept(message), {}, ()))

    assert str(read(told).text) == "Hello"
    assert told[0]["role"] == message.type


def test_what_a_tool_answered_is_no_message() -> None:
    assert list(whole_message(kept(ToolMessage("3", tool_call_id="call-1", id="m")), {}, ())) == []


def test_arguments_that_are_no_json_are_said_to_be_wrong() -> None:
    growing = Growing("m", (), {})

    told = list(growing.piece(kept(calling('{"a"', name="add", call_id="call-1")))) + list(growing.end())

    assert told[-2]["content"]["type"] == "invalid_tool_call"


def test_messages_that_grow_at_once_are_told_apart() -> None:
    one, other = Growing("one", (), {}), Growing("other", (), {})

    told = [*one.piece(kept(AIMessageChunk("1", id="one"))), *other.piece(kept(AIMessageChunk("2", id="other")))]

    assert [(event["message_id"], event["run_id"]) for event in told] == [("one", "one")] * 3 + [("other", "other")] * 3
    assert one.loss()["event"] == "error"
