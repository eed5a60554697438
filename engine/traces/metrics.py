"""What this process counts and times for Prometheus. Labels come from code and configuration, never from a caller."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from contracts.errors import GatehouseError

# They would be a second series for each, of when it began: twice the size for nothing that anybody asks.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped

_SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LONG = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600)
_REVIEW = (10, 60, 300, 900, 3600, 4 * 3600, 8 * 3600, 24 * 3600, 72 * 3600)

REQUESTS = Counter("gatehouse_http_requests", "Requests answered.", ("method", "route", "status"))
REQUEST_SECONDS = Histogram(
    "gatehouse_http_request_seconds",
    "From a request's arrival to the end of its answer; streams and waits last as long as their reader stays.",
    ("method", "route"),
    buckets=_LONG,
)

RUNS_ENDED = Counter(
    "gatehouse_runs_ended",
    "Runs that this process ended; one that waits for a person has the status interrupted and no outcome.",
    ("workflow", "status", "outcome"),
)
RUN_WAIT_SECONDS = Histogram(
    "gatehouse_run_wait_seconds", "From when a run could begin until a worker claimed it.", ("workflow",), buckets=_LONG
)
RUN_SECONDS = Histogram(
    "gatehouse_run_seconds", "From claim to end, release or loss of a run.", ("workflow",), buckets=_LONG
)
RUNS_CARRIED = Gauge("gatehouse_runs_carried", "Runs that this process carries now.")
TAKEOVERS = Counter("gatehouse_takeovers", "Runs claimed after another attempt at them had died.")
LEASES_LOST = Counter("gatehouse_leases_lost", "Runs that another worker took from this process.")
SWEEPS = Counter("gatehouse_sweeps", "Looks for lost runs and due requests.", ("result",))
LOST_RUNS = Counter("gatehouse_lost_runs", "Runs that a sweep found without a worker and woke one for.")

REVIEW_SECONDS = Histogram(
    "gatehouse_review_seconds",
    "From when a request was asked until people decided it, in this process.",
    ("queue",),
    buckets=_REVIEW,
)

TOOL_CALLS = Counter("gatehouse_tool_calls", "Calls sent to tools, by ok or the error's code.", ("tool", "result"))
TOOL_SECONDS = Histogram("gatehouse_tool_call_seconds", "How long tools took to answer.", ("tool",), buckets=_SHORT)
MODEL_CALLS = Counter(
    "gatehouse_model_calls", "Calls sent to models, by ok or the error's code.", ("alias", "model", "result")
)
MODEL_SECONDS = Histogram(
    "gatehouse_model_call_seconds", "How long models took to answer.", ("alias", "model"), buckets=_SHORT
)

BREAKER_CHANGES = Counter(
    "gatehouse_breaker_changes", "Circuit breakers that this process saw open or close.", ("name", "state")
)
REQUESTS_LIMITED = Counter("gatehouse_requests_limited", "Requests refused because callers sent more than their share.")

TRACE_FAILURES = Counter(
    "gatehouse_trace_failures", "Events of runs that could not be traced; the runs went on without."
)

TRACE_EXPORTS = Counter(
    "gatehouse_trace_exports", "Runs whose trace was sent elsewhere, or was to be.", ("to", "result")
)

ALARMS = Counter("gatehouse_alarms", "Workflows that behaved as they never did.", ("kind", "workflow"))

_BROKEN_OFF = "broken_off"
"""Result of a call whose task was cancelled, or that failed with an error that is none of ours."""


@contextmanager
def counted(calls: Counter, seconds: Histogram, *labels: str) -> Iterator[None]:
    """Count and time one call; its result is `ok` or the code of the error that the block raises."""
    began, result = time.perf_counter(), _BROKEN_OFF
    try:
        yield
        result = "ok"
    except GatehouseError as error:
        result = error.code
        raise
    finally:
        seconds.labels(*labels).observe(time.perf_counter() - began)
        calls.labels(*labels, result).inc()
