"""Recorded models: what finds a recording, what a miss says, what is kept of a call, and faults on purpose."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_tests.unit_tests import ChatModelUnitTests
from pydantic import SecretStr

from contracts.errors import ConfigurationError, ModelError, ModelUnavailable, RecordingMissing
from engine.models.attempts import whole_reply
from engine.models.calls import call_key
from engine.models.faulty import EVERY, FaultyRecordings
from engine.models.recorded import RecordedChatModel
from engine.models.recording import Recordings, read_recordings, write_recordings
from engine.models.route import Route, chat_model
from tests.stubs.openai_server import openai_endpoint

ASKED: list[BaseMessage] = [SystemMessage("Sort it."), HumanMessage("It was charged twice.")]
SHAPE: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "Kind", "schema": {"type": "object"}}}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


class TestLangChainsOwnSuite(ChatModelUnitTests):
    @pytest.fixture
    def snapshot(self) -> None:
        """Only models that are sent as data have one."""

    @pytest.fixture
    def benchmark(self) -> Callable[[Callable[[], None]], None]:
        return lambda measured: measured()

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return RecordedChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"recordings": Recordings(), "stage": "classify", "case": "c"}


async def recorded(
    text: str, *asked: BaseMessage, model: str = "gpt-test", mode: Any = "record", redact: Any = str, **kwargs: Any
) -> Recordings:
    """What stands recorded after the real client has asked an endpoint that says `text`."""
    recordings = Recordings()
    with openai_endpoint(text) as endpoint:
        async with httpx.AsyncClient() as http:
            real = chat_model(Route(model, SecretStr("k"), endpoint.url), http, max_tokens=9)
            made = RecordedChatModel(
                recordings=recordings, stage="classify", case="c", mode=mode, model=real, redact=redact
            )
            await made.ainvoke(list(asked), **kwargs)
    return recordings


def replay(recordings: Recordings, **more: Any) -> RecordedChatModel:
    return RecordedChatModel(recordings=recordings, stage="classify", case="c", **more)


async def test_what_was_recorded_is_replayed_from_its_file(tmp_path: Path) -> None:
    made = await recorded('{"kind": "twice"}', *ASKED, response_format=SHAPE)
    write_recordings(tmp_path / "calls.jsonl", made.all())

    again = replay(Recordings(read_recordings([tmp_path / "calls.jsonl"])))
    reply = await again.ainvoke(ASKED, response_format=SHAPE)

    assert str(reply.text) == '{"kind": "twice"}'
    assert reply.response_metadata == {"finish_reason": "stop", "model_name": "gpt-test", "source": "recorded"}


async def test_nothing_is_kept_of_a_live_call() -> None:
    assert list((await recorded("{}", *ASKED, mode="live")).all()) == []


async def test_calls_of_tools_are_recorded_and_replayed_whole_and_streamed() -> None:
    made = await recorded('{"id": 7}', *ASKED, model="uses-tools", tools=[TOOL])

    model = replay(made).bind_tools([TOOL])
    reply = await model.ainvoke(ASKED)
    chunks = [chunk async for chunk in model.astream(ASKED)]

    assert [(c["name"], c["args"]) for c in reply.tool_calls] == [("look_up", {"id": 7})]
    assert isinstance(last := chunks[-1], AIMessage)
    assert last.tool_calls == reply.tool_calls


def after_a_tool(call_id: str) -> list[BaseMessage]:
    call = {"name": "look_up", "args": {"id": 7}, "id": call_id}
    return [*ASKED, AIMessage("", tool_calls=[call], id=call_id), ToolMessage("found", tool_call_id=call_id)]


def test_what_a_provider_calls_its_calls_is_not_part_of_the_key() -> None:
    first, spoken = call_key(after_a_tool("call_x81"), None, {}, tools=[TOOL])
    second, _ = call_key(after_a_tool("toolu_02"), None, {}, tools=[TOOL])
    other, _ = call_key(after_a_tool("toolu_02"), None, {}, tools=[TOOL], tool_choice="any")

    assert first == second != other
    assert spoken[-1] == "tool: found\nanswers call 1"


@pytest.mark.parametrize(
    ("asked", "kwargs", "changed"),
    [
        ([SystemMessage("Sort it well."), ASKED[1]], {}, "system"),
        ([ASKED[0], HumanMessage("It was charged thrice.")], {}, "messages"),
        (ASKED, {"response_format": SHAPE | {"strict": True}}, "schema"),
        (ASKED, {"tools": [TOOL]}, "tools"),
        (ASKED, {"tool_choice": "none"}, "tool_choice"),
    ],
)
async def test_a_miss_names_what_changed_and_never_goes_live(asked: Any, kwargs: Any, changed: str) -> None:
    made = await recorded("{}", *ASKED, response_format=SHAPE)

    with pytest.raises(RecordingMissing, match=rf"has changed: {changed}\.") as missing:
        await replay(made).ainvoke(asked, **{"response_format": SHAPE} | kwargs)

    assert ("-human: It was charged twice." in missing.value.detail) == (changed == "messages")


async def test_secrets_are_taken_out_before_anything_is_hashed() -> None:
    made = await recorded(
        "the pin is 4711", ASKED[0], HumanMessage("pin 4711"), redact=lambda text: text.replace("4711", "[pin]")
    )

    kept = next(made.all())
    other = replay(made, redact=lambda text: text.replace("0815", "[pin]"))

    assert "4711" not in str(kept)
    assert str((await other.ainvoke([ASKED[0], HumanMessage("pin 0815")])).text) == "the pin is [pin]"


async def test_recordings_that_nothing_asked_for_are_known() -> None:
    made = await recorded("{}", *ASKED)
    before = [left.content for left in made.unused()]

    await replay(made).ainvoke(ASKED)

    assert (before, made.unused()) == (["{}"], [])


@pytest.mark.parametrize("fault", ["unavailable", "timeout", "rate_limit", "server_error", "refused", "length"])
async def test_the_nth_call_of_a_stage_fails_by_a_typed_error(fault: Any) -> None:
    good = await recorded("{}", *ASKED, response_format=SHAPE)
    model = replay(FaultyRecordings(good.all(), {("classify", 2): fault}))

    first = await whole_reply(model, "m", ASKED, SHAPE)
    with pytest.raises(ModelError) as failed:
        await whole_reply(model, "m", ASKED, SHAPE)

    assert str(first.text) == str((await whole_reply(model, "m", ASKED, SHAPE)).text) == "{}"
    assert isinstance(failed.value, ModelUnavailable) == (fault not in ("refused", "length"))


@pytest.mark.parametrize(("fault", "says"), [("empty", ""), ("malformed", "words"), ("schema_invalid", "unexpected")])
async def test_broken_replies_need_no_recording(fault: Any, says: str) -> None:
    reply = await replay(FaultyRecordings((), {("classify", EVERY): fault})).ainvoke(ASKED)

    assert says in str(reply.text)


def test_a_file_that_holds_no_recordings_is_told_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "calls.jsonl").write_text('{"stage": "a"}\n')

    with pytest.raises(ConfigurationError, match=r"calls\.jsonl:1"):
        read_recordings([tmp_path / "calls.jsonl"])
