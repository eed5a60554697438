"""The copy of some traces in LangSmith: cases of high risk, and a share of the others; without what nobody may know."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from langsmith import Client
from urllib3 import Retry

from engine.credentials.redactor import KNOWN
from engine.reasoning.pages import Traced
from engine.reasoning.retention import place_of
from engine.reasoning.spans import Span
from engine.traces.metrics import TRACE_EXPORTS

_TIMEOUT_MS = (2_000, 3_000)
_TYPES: dict[str, Any] = {"model": "llm", "tool": "tool"}
INFO = {
    "batch_ingest_config": {
        "use_multipart_endpoint": True,
        "size_limit": 100,
        "size_limit_bytes": 20_971_520,
        "scale_up_nthreads_limit": 1,
        "scale_up_qsize_trigger": 1_000,
        "scale_down_nempty_trigger": 4,
    },
    "instance_flags": {"zstd_compression_enabled": True},
}
"""What the endpoint can do: asked for, it would have to be there when the process starts."""


class Sampled:
    """A LangSmith project. What cannot be delivered is counted, and lost to it."""

    name = "langsmith"

    def __init__(self, url: str, key: str, project: str, share: float) -> None:
        self._project, self._share = project, share
        self._client = Client(
            url,
            api_key=key,
            info=INFO,
            anonymizer=masked,
            omit_traced_runtime_info=True,
            timeout_ms=_TIMEOUT_MS,
            retry_config=Retry(total=0),
            tracing_mode="langsmith",
            tracing_sampling_rate=1.0,
            hide_inputs=False,
            hide_outputs=False,
            hide_metadata=False,
            tracing_error_callback=lambda _: TRACE_EXPORTS.labels("langsmith", "lost").inc(),
        )

    def wants(self, of: Traced) -> bool:
        """The same for each run of a case."""
        return of.risk == "high" or place_of(of.thread_id) < self._share

    def send(self, of: Traced, spans: Sequence[Span]) -> bool:
        """See `Sink.send`; hands them to the client, which sends them in a while."""
        for span in spans:
            if span.kind == "case" and of.run_id != of.case_id:
                self._client.update_run(span.id, trace_id=span.id, dotted_order=_order(span), end_time=_at(span.ended))
            else:
                self._create(of, span)
        return True

    def close(self, timeout_s: float) -> None:
        """See `Sink.close`."""
        self._client.flush(timeout=timeout_s)

    def _create(self, of: Traced, span: Span) -> None:
        entry, told = span.entry, _told(span)
        metadata = {"run_id": of.run_id, "thread_id": of.thread_id, "risk": of.risk, "stage": entry.get("stage")}
        self._client.create_run(
            span.name,
            told[0],
            _TYPES.get(span.kind, "chain"),
            project_name=self._project,
            id=span.id,
            trace_id=uuid.UUID(of.case_id),
            parent_run_id=span.parent.id if span.parent else None,
            dotted_order=_order(span),
            start_time=_at(span.began),
            end_time=_at(span.ended),
            outputs=told[1],
            error=str(entry["error"]) if entry.get("error") else None,
            extra={"metadata": {name: value for name, value in metadata.items() if value}},
        )


def masked(value: Any) -> Any:
    """`value` without secrets, card numbers and IBANs in any of its texts."""
    if isinstance(value, str):
        return KNOWN.prose(value)
    if isinstance(value, dict):
        return {masked(name): masked(found) for name, found in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(found) for found in value]
    return value


def _told(span: Span) -> tuple[dict[str, Any], dict[str, Any]]:
    """What went in and what came out."""
    names = {
        "model": (("messages", "params", "tools", "schema"), ("reply", "usage", "finish_reason", "model_name")),
        "tool": (("args",), ("result",)),
        "branch": (("values",), ("led",)),
    }.get(span.kind, ((), ()))
    first, second = ({name: span.entry[name] for name in group if name in span.entry} for group in names)
    return first, second


def _order(span: Span) -> str:
    """Where a span stands in its trace, as LangSmith writes it."""
    above = f"{_order(span.parent)}." if span.parent else ""
    return f"{above}{_at(span.began):%Y%m%dT%H%M%S%f}Z{span.id}"


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
