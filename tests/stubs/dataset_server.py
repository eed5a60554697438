"""An endpoint of datasets as LangSmith has it: it keeps what is sent, and answers, refuses or hangs as a test says."""

import email
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.stubs.served import served

ID = "3f1b6e0a-5c1d-4f6b-9a50-0d8f6a1c2b3d"


@dataclass
class Datasets:
    """`status` answers what is posted; `hangs_s` passes before every answer; `html`: somebody else answers."""

    status: int = 200
    hangs_s: float = 0.0
    html: bool = False
    known: list[str] = field(default_factory=list)
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request."""
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    """Content type and body of what was posted."""

    @property
    def text(self) -> str:
        return b"".join(body for _, body in self.bodies).decode(errors="replace")

    def parts(self) -> dict[str, Any]:
        """What examples consist of, by the names of the parts of what was posted."""
        found: dict[str, Any] = {}
        for kind, body in self.bodies:
            if kind.startswith("multipart/"):
                message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
                for part in message.get_payload():
                    name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
                    found[str(name)] = json.loads(part.get_payload(decode=True))  # type: ignore[union-attr,arg-type]
        return found

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        if method == "GET":
            return 200, [{"id": ID, "name": name} for name in self.known]
        if self.status != 200 or path.endswith("/datasets"):
            return self.status, {"id": ID}
        ids = [name for name in self.parts() if "." not in name]
        return 200, {"count": len(ids), "example_ids": ids, "as_of": None}


@contextmanager
def dataset_server(status: int = 200, **said: Any) -> Iterator[Datasets]:
    """Serve on a free port of this machine until the block ends."""
    datasets, over = Datasets(status, **said), threading.Event()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._take("GET", b"")

        def do_POST(self) -> None:
            self._take("POST", self.rfile.read(int(self.headers.get("content-length", 0))))

        def _take(self, method: str, body: bytes) -> None:
            path = self.path.partition("?")[0]
            datasets.asked.append((method, path))
            if body:
                datasets.bodies.append((self.headers.get("content-type", ""), body))
            over.wait(datasets.hangs_s)
            status, answer = datasets.answer(method, path)
            text = b"<html>Sign in</html>" if datasets.html else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    with served(Answers) as url:
        datasets.url = url
        try:
            yield datasets
        finally:
            over.set()
