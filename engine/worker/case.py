"""The case of a run as its stages see it."""

from contracts.context import Case
from engine.runs.model import Run


def case_of(run: Run, opened_on: str = "") -> Case:
    """`opened_on` is the day on which the run was created if none is given."""
    return Case(
        thread_id=run.thread_id,
        run_id=run.id,
        workflow=run.workflow,
        version=run.version,
        tenant=run.tenant,
        actor=run.actor,
        requester=run.requester,
        opened_on=opened_on or run.created_at.date().isoformat(),
        context=run.options.context,
    )
