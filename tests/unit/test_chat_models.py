"""The real client over real HTTP: both ways of asking, whole and streamed, with tools and without."""

from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import SecretStr

from contracts.errors import ModelRefused, ModelUnreadable
from engine.models.failures import finish_of, require_whole
from engine.models.route import Route, chat_model
from tests.stubs.openai_server import openai_endpoint

BOTH = pytest.mark.parametrize("api", ["chat", "responses"])
STREAMED = pytest.mark.parametrize("streamed", [False, True])
SHAPE: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "Word", "schema": {"type": "object"}}}
LOOK_UP = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}


async def ask(model: str, api: Any, *, streamed: bool, text: str = '{"a": 1}', **kwargs: Any) -> tuple[AIMessage, Any]:
    """The reply, and the request that was sent for it."""
    with openai_endpoint(text) as endpoint:
        async with httpx.AsyncClient() as http:
            route = Route(model, SecretStr("k"), endpoint.url, api=api, parameters={"seed": 7})
            client = chat_model(route, http, max_tokens=20)
            if not streamed:
                return await client.ainvoke([HumanMessage("Hi")], **kwargs), endpoint.requests[0]
            chunks = [chunk async for chunk in client.astream([HumanMessage("Hi")], **kwargs)]
            whole = chunks[0]
            for chunk in chunks[1:]:
                whole += chunk
            return AIMessage(
                **whole.model_dump(exclude={"type", "tool_call_chunks", "chunk_position"})
            ), endpoint.requests[0]


@BOTH
@STREAMED
async def test_a_reply_in_a_shape_with_its_usage(api: str, streamed: bool) -> None:
    reply, request = await ask("m", api, streamed=streamed, response_format=SHAPE)

    require_whole(reply, "m")
    assert (str(reply.text), finish_of(reply)) == ('{"a": 1}', "stop")
    assert reply.usage_metadata
    assert (reply.usage_metadata["input_tokens"], reply.usage_metadata["output_tokens"]) == (10, 5)
    assert ("messages" in request, "input" in request) == (api == "chat", api == "responses")
    assert (request["seed"], request.get("store")) == (7, False if api == "responses" else None)


@BOTH
@STREAMED
async def test_a_call_of_a_tool_comes_with_its_arguments(api: str, streamed: bool) -> None:
    reply, request = await ask("uses-tools", api, streamed=streamed, tools=[LOOK_UP])

    require_whole(reply, "uses-tools")
    assert [(call["name"], call["args"]) for call in reply.tool_calls] == [("look_up", {"a": 1})]
    assert len(request["tools"]) == 1


@BOTH
@pytest.mark.parametrize(
    ("model", "error", "finish"),
    [
        ("cut-off", ModelRefused, "length"),
        ("filtered", ModelRefused, "content_filter"),
        ("refuses", ModelRefused, "stop"),
        ("breaks-off", ModelUnreadable, ""),
    ],
)
@STREAMED
async def test_what_is_no_whole_reply_is_told_by_its_end(
    api: str, model: str, error: type[Exception], finish: str, streamed: bool
) -> None:
    # Without a shape the library drops the refusal in a stream of chat completions; the gateway always sends one.
    shaped = {"response_format": SHAPE} if model == "refuses" else {}
    reply, _ = await ask(model, api, streamed=streamed, **shaped)

    assert finish_of(reply) in (finish, "in_progress")
    with pytest.raises(error):
        require_whole(reply, model)
