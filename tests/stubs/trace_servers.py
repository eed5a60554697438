"""Endpoints that take traces: what LangSmith's client and OTLP exporters send is kept, and answered as a test says."""

import email
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.stubs.served import served


@dataclass
class Taken:
    """One request: where, with which headers, and what was in it."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Ingest:
    """`status` answers each request after `wait_s` seconds."""

    status: int = 202
    wait_s: float = 0.0
    url: str = ""
    taken: list[Taken] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All that was sent."""
        return b"".join(each.body for each in self.taken).decode(errors="replace")

    def parts(self) -> dict[str, Any]:
        """What LangSmith's client sent, by the names of its parts: `post.<id>`, `post.<id>.inputs`, `patch.<id>`."""
        found: dict[str, Any] = {}
        for each in self.taken:
            message = email.message_from_bytes(
                f"Content-Type: {each.headers['content-type']}\r\n\r\n".encode() + each.body
            )
            for part in message.get_payload():
                name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
                found[str(name)] = json.loads(part.get_payload(decode=True))  # type: ignore[union-attr,arg-type]
        return found

    def spans(self) -> list[Any]:
        """What an OTLP exporter sent."""
        requests = [ExportTraceServiceRequest.FromString(each.body) for each in self.taken]
        return [s for r in requests for of in r.resource_spans for scope in of.scope_spans for s in scope.spans]


@contextmanager
def ingest_server(status: int = 202, wait_s: float = 0.0) -> Iterator[Ingest]:
    """Serve on a free port of this machine until the block ends."""
    ingest, over = Ingest(status, wait_s), threading.Event()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = _unpacked(self._body(), self.headers.get("content-encoding", ""))
            ingest.taken.append(Taken(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            over.wait(ingest.wait_s)
            self.send_response(ingest.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            return found

        def log_message(self, *_: object) -> None:
            pass

    with served(Answers) as url:
        ingest.url = url
        try:
            yield ingest
        finally:
            over.set()


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    return gzip.decompress(body) if encoding == "gzip" else body
