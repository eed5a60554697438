"""What is told of a run while a worker carries it: ids on its log lines, waits and durations in the metrics."""

from collections.abc import Iterator
from contextlib import contextmanager

from engine.runs.model import Run
from engine.traces.ids import about
from engine.traces.metrics import RUN_SECONDS, RUN_WAIT_SECONDS, RUNS_CARRIED, TAKEOVERS


@contextmanager
def observed(run: Run, *, worker: str) -> Iterator[None]:
    """The block carries `run`, which `worker` has just claimed."""
    if run.attempts > 1:
        TAKEOVERS.inc()
    elif run.epoch == 1:
        # Claiming sets `updated_at`: both times are the database's, so that clocks need not agree.
        could_begin = max(run.created_at, run.start_at or run.created_at)
        RUN_WAIT_SECONDS.labels(run.workflow).observe(max(0.0, (run.updated_at - could_begin).total_seconds()))
    ids = {"run_id": run.id, "thread_id": run.thread_id, "case_id": run.case_id}
    with (
        about(**ids, tenant=run.tenant, workflow=run.workflow, worker=worker),
        RUNS_CARRIED.track_inprogress(),
        RUN_SECONDS.labels(run.workflow).time(),
    ):
        yield
