"""Spans by OTLP: the one place that knows OpenTelemetry's names. Only ids, names, times and counts leave, no content.

The conventions for generative AI are still in development: these few attributes are sent, and whoever wants others maps
them in a collector.
"""

from collections.abc import Mapping, Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from engine.reasoning.pages import Traced
from engine.reasoning.spans import Span

_TIMEOUT_S = 3.0
_OPERATION = {"run": "invoke_agent", "model": "chat", "tool": "execute_tool"}
_KIND = {"model": SpanKind.CLIENT, "tool": SpanKind.CLIENT}


class Telemetry:
    """An endpoint that takes OTLP over HTTP, as `http://collector:4318/v1/traces`."""

    name = "otlp"

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._exporter = OTLPSpanExporter(url, headers=dict(headers), timeout=_TIMEOUT_S)
        self._resource = Resource({"service.name": "gatehouse"})

    def wants(self, of: Traced) -> bool:
        """Every case: a collector samples for itself."""
        return True

    def send(self, of: Traced, spans: Sequence[Span]) -> bool:
        """See `Sink.send`."""
        # The case has no end until its last run, and a span is sent once: its runs stand at the top of the trace.
        found = [self._readable(of, span) for span in spans if span.kind != "case"]
        return self._exporter.export(found) is SpanExportResult.SUCCESS

    def close(self, timeout_s: float) -> None:
        """See `Sink.close`."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the library leaves it untyped

    def _readable(self, of: Traced, span: Span) -> ReadableSpan:
        above = span.parent if span.parent and span.parent.kind != "case" else None
        error = span.entry.get("error")
        return ReadableSpan(
            name=" ".join(filter(None, (_OPERATION.get(span.kind, span.kind), span.name))),
            context=_context(of, span),
            parent=_context(of, above) if above else None,
            resource=self._resource,
            attributes=attributes_of(of, span),
            kind=_KIND.get(span.kind, SpanKind.INTERNAL),
            status=Status(StatusCode.ERROR if error else StatusCode.UNSET),
            start_time=round(span.began * 1e9),
            end_time=round(span.ended * 1e9),
        )


def attributes_of(of: Traced, span: Span) -> dict[str, AttributeValue]:
    """What is told of a span, by OpenTelemetry's names where it has some."""
    entry, params, usage = span.entry, _mapping(span.entry.get("params")), _mapping(span.entry.get("usage"))
    said = {
        "gatehouse.run.id": of.run_id,
        "gatehouse.thread.id": of.thread_id,
        "gatehouse.run.tenant": of.tenant,
        "gatehouse.workflow": of.workflow,
        "gatehouse.stage": entry.get("stage"),
        "gatehouse.led": entry.get("led"),
        "gen_ai.operation.name": _OPERATION.get(span.kind),
        "gen_ai.agent.name": of.workflow if span.kind == "run" else None,
        "gen_ai.request.model": params.get("model") or params.get("model_name"),
        "gen_ai.response.model": entry.get("model_name"),
        "gen_ai.response.finish_reasons": [entry["finish_reason"]] if entry.get("finish_reason") else None,
        "gen_ai.usage.input_tokens": usage.get("read"),
        "gen_ai.usage.output_tokens": usage.get("written"),
        "gen_ai.tool.name": entry.get("tool"),
        "gen_ai.tool.call.id": entry.get("call_key"),
        "error.type": _code(entry.get("error")),
    }
    return {name: value for name, value in said.items() if value is not None}


def _context(of: Traced, span: Span) -> SpanContext:
    trace = int(of.case_id.replace("-", ""), 16)
    return SpanContext(trace, span.id.int >> 64, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _mapping(value: object) -> Mapping[str, AttributeValue]:
    return value if isinstance(value, Mapping) else {}


def _code(error: object) -> str | None:
    """A tool's error is what the trail holds of it."""
    return str(error.get("code", "error")) if isinstance(error, Mapping) else str(error) if error else None
