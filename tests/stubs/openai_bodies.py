"""What an OpenAI-compatible endpoint sends, whole and in pieces: chat completions and responses."""

import json
import re
from collections.abc import Iterator
from typing import Any

Body = dict[str, Any]
_FINISHES = {"cut-off": "length", "filtered": "content_filter", "breaks-off": None, "uses-tools": "tool_calls"}
_INCOMPLETE = {"cut-off": "max_output_tokens", "filtered": "content_filter"}
_NO = "I will not"


def chat_body(request: Body, text: str) -> Body:
    model = request["model"]
    message: Body = {"role": "assistant", "content": text, "refusal": _NO if model == "refuses" else None}
    if model == "uses-tools":
        function = {"name": request["tools"][0]["function"]["name"], "arguments": text}
        message |= {"content": None, "tool_calls": [{"id": "call-1", "type": "function", "function": function}]}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": _FINISHES.get(model, "stop")}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def chat_events(request: Body, text: str) -> Iterator[bytes]:
    """The same answer in pieces, as an endpoint sends them that is asked to stream."""
    body = chat_body(request, text)
    choice, usage = body["choices"][0], body["usage"]
    message = choice["message"]
    pieces: list[Body] = [{"role": "assistant", "content": ""}]
    pieces += [{"content": piece} for piece in re.findall(r"\S+\s*", message["content"] or "")]
    pieces += [{"tool_calls": [{"index": n, **call}]} for n, call in enumerate(message.get("tool_calls", ()))]
    if message["refusal"]:
        pieces.append({"refusal": message["refusal"]})
    said: list[Body] = [{"choices": [{"index": 0, "delta": piece}]} for piece in pieces]
    if choice["finish_reason"]:
        said.append({"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
        said.append({"choices": [], "usage": usage})
    for chunk in said:
        yield f"data: {json.dumps(body | {'object': 'chat.completion.chunk', 'usage': None} | chunk)}\n\n".encode()
    if choice["finish_reason"]:
        yield b"data: [DONE]\n\n"


def responses_body(request: Body, text: str) -> Body:
    model = request["model"]
    incomplete = _INCOMPLETE.get(model)
    status = "incomplete" if incomplete else "in_progress" if model == "breaks-off" else "completed"
    content: Body = {"type": "output_text", "text": text, "annotations": []}
    if model == "refuses":
        content = {"type": "refusal", "refusal": _NO}
    item: Body = {"id": "msg-1", "type": "message", "role": "assistant", "status": status, "content": [content]}
    if model == "uses-tools":
        name = request["tools"][0]["name"]
        item = {"id": "fc-1", "type": "function_call", "call_id": "call-1", "name": name, "arguments": text}
    return {
        "id": "resp-1",
        "object": "response",
        "created_at": 1,
        "model": model,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": incomplete} if incomplete else None,
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 10,
            "output_tokens": 5,
            "total_tokens": 15,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def responses_events(request: Body, text: str) -> Iterator[bytes]:
    body = responses_body(request, text)
    item, place = body["output"][0], {"output_index": 0}
    began = body | {"status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    empty = {"content": []} if item["type"] == "message" else {"arguments": ""}
    said: list[Body] = [
        {"type": "response.created", "response": began},
        {"type": "response.output_item.added", "item": item | empty | {"status": "in_progress"}, **place},
        *_parts(item, place | {"item_id": item["id"]}),
        {"type": "response.output_item.done", "item": item, **place},
    ]
    if body["status"] != "in_progress":
        said.append({"type": f"response.{body['status']}", "response": body})
    for number, event in enumerate(said):
        yield f"event: {event['type']}\ndata: {json.dumps(event | {'sequence_number': number})}\n\n".encode()


def _parts(item: Body, place: Body) -> Iterator[Body]:
    if item["type"] == "function_call":
        yield {"type": "response.function_call_arguments.delta", "delta": item["arguments"], **place}
        yield {"type": "response.function_call_arguments.done", "arguments": item["arguments"], **place}
        return
    place, content = place | {"content_index": 0}, item["content"][0]
    if content["type"] == "refusal":
        yield {"type": "response.refusal.done", "refusal": content["refusal"], **place}
        return
    yield {"type": "response.content_part.added", "part": content | {"text": ""}, **place}
    for piece in re.findall(r"\S+\s*", content["text"]):
        yield {"type": "response.output_text.delta", "delta": piece, "logprobs": [], **place}
    yield {"type": "response.output_text.done", "text": content["text"], "logprobs": [], **place}
    yield {"type": "response.content_part.done", "part": content, **place}
