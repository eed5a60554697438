"""An OpenAI-compatible endpoint, chat completions and responses, that answers what a test says.

It fails by the name of the model: `status-429`, `status-503-times-2`, `cut-off`, `filtered`, `refuses`, `breaks-off`,
`html`, `no-json`, `stranger`, `hangs`. `uses-tools` calls the first tool offered, with the reply as arguments.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.stubs.openai_bodies import chat_body, chat_events, responses_body, responses_events

JSON, HTML = "application/json", "text/html"
_BODIES: dict[str, tuple[str, bytes]] = {
    "html": (HTML, b"<html><body>Sign in to the hotel's network</body></html>"),
    "no-json": (JSON, b'{"choices": [{"mess'),
    "stranger": (JSON, b'{"weather": "fine"}'),
}
_HANG_S = 2.0


class Endpoint:
    """What was asked, and what to answer: the n-th request gets the n-th reply, then the last one again."""

    def __init__(self, replies: list[str]) -> None:
        self.replies = replies
        self.requests: list[dict[str, Any]] = []
        self.connections = 0
        """How often anybody has connected, whatever came of it."""
        self.url = ""
        self.retry_after = ""
        """With every answer that has it, a header of that name."""

    def answer(self, path: str, request: dict[str, Any]) -> tuple[int, str, bytes]:
        """Status, content type and body."""
        self.requests.append(request)
        model = request["model"]
        if model.startswith("status-"):
            status, _, times = model.removeprefix("status-").partition("-times-")
            if not times or len(self.requests) <= int(times):
                return int(status), JSON, b'{"error": {"message": "no", "type": "stub", "code": "stub"}}'
        if model == "hangs":
            time.sleep(_HANG_S)
        if model in _BODIES:
            return 200, *_BODIES[model]
        text = self.replies[min(len(self.requests), len(self.replies)) - 1]
        responses = path.endswith("/responses")
        if request.get("stream"):
            events = responses_events(request, text) if responses else chat_events(request, text)
            return 200, "text/event-stream", b"".join(events)
        return 200, JSON, json.dumps(responses_body(request, text) if responses else chat_body(request, text)).encode()


@contextmanager
def openai_endpoint(*replies: str) -> Iterator[Endpoint]:
    """Serve on a free port of this machine until the block ends."""
    endpoint = Endpoint(list(replies))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            status, kind, body = endpoint.answer(self.path, json.loads(self.rfile.read(length)))
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            if endpoint.retry_after:
                self.send_header("retry-after", endpoint.retry_after)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def verify_request(self, *_: object) -> bool:
            endpoint.connections += 1
            return True

        def handle_error(self, *_: object) -> None:
            """Whoever hung up before the answer is no error of the endpoint."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
