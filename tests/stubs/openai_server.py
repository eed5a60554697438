"""An OpenAI-compatible endpoint that answers what a test says, and fails by the name of the model."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Endpoint:
    """What was asked, and what to answer: the n-th request gets the n-th reply, then the last one again."""

    def __init__(self, replies: list[str]) -> None:
        self.replies = replies
        self.requests: list[dict[str, Any]] = []
        self.url = ""

    def answer(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.requests.append(request)
        model = request["model"]
        if model.startswith("status-"):
            status, _, times = model.removeprefix("status-").partition("-times-")
            if not times or len(self.requests) <= int(times):
                return int(status), {"error": {"message": "no", "type": "stub", "code": "stub"}}
        text = self.replies[min(len(self.requests), len(self.replies)) - 1]
        finish = "length" if model == "cut-off" else "stop"
        message = {"role": "assistant", "content": text, "refusal": "I will not" if model == "refuses" else None}
        return 200, {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }


@contextmanager
def openai_endpoint(*replies: str) -> Iterator[Endpoint]:
    """Serve on a free port of this machine until the block ends."""
    endpoint = Endpoint(list(replies))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            status, body = endpoint.answer(json.loads(self.rfile.read(length)))
            streamed = status == 200 and endpoint.requests[-1].get("stream")
            text = b"".join(_chunks(body)) if streamed else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "text/event-stream" if streamed else "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _chunks(body: dict[str, Any]) -> Iterator[bytes]:
    """The same answer in pieces, as an endpoint sends them that is asked to stream."""
    choice, usage = body["choices"][0], body["usage"]
    pieces: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    pieces += [{"content": piece} for piece in re.findall(r"\S+\s*", choice["message"]["content"])]
    if choice["message"]["refusal"]:
        pieces.append({"refusal": choice["message"]["refusal"]})
    said: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": piece}]} for piece in pieces]
    said.append({"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    said.append({"choices": [], "usage": usage})
    for chunk in said:
        yield f"data: {json.dumps(body | {'object': 'chat.completion.chunk', 'usage': None} | chunk)}\n\n".encode()
    yield b"data: [DONE]\n\n"
