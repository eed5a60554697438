"""Reads a case that has ended out of the installation in which it ran, and says why one cannot be recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.approval import JsonObject
from contracts.errors import CaseNotRecordable
from contracts.event import Event
from engine.approvals.votes import votes_on
from engine.audit.payloads import ERASED, UNREADABLE
from engine.catalog.versions import manifest_of
from engine.catalog.workflow import Workflow
from engine.operations.cases import records_of
from engine.operations.differences import differences
from engine.reasoning.pages import LOST, Entry, entries_of
from engine.runs.model import Run
from engine.runs.report import legs_of_case, run_facts
from engine.runs.runs import get_run
from engine.runs.threads import get_thread
from engine.store.database import Connection
from engine.store.scope import of_tenant
from engine.wiring import Engine
from evals.recording.masking import Masking

Record = Mapping[str, Any]

_IN_THE_WAY: dict[str, str] = {
    Event.RUN_MIGRATED: "it was moved to another version on its way",
    Event.STATE_EDITED: "its state was edited from outside",
    Event.CALL_RESOLVED: "a person found out what became of a call, and a case has no such answer",
    Event.APPROVAL_UNDONE: "a decision was taken back in time",
    Event.RUN_CANCELLED: "it was cancelled from outside, and a case has no such answer",
    Event.CASE_ERASED: "what tells of people in it was erased",
}
_ROUTES = "routes"
"""The member of a manifest that says which models are asked: none is, where replies are recorded."""
_LOST = (ERASED, UNREADABLE, LOST)


@dataclass(frozen=True)
class EndedCase:
    """Everything that is stored of one case."""

    run: Run
    """The one that brought the input."""
    last: Run
    workflow: Workflow
    records: Sequence[Record]
    """Of its audit trail, in order."""
    entries: Sequence[Entry]
    """Of its reasoning trace, in order."""
    state: JsonObject
    """The last that it was in."""
    seats: Mapping[tuple[str, str], Sequence[str]]
    """Where several had to agree: the roles in which each voted, by request and person."""
    masked: Masking = field(default_factory=Masking)
    """Masks what is written of it."""


async def read_ended_case(engine: Engine, run_id: str, *, tenant: str) -> EndedCase:
    """The whole case that a run belongs to.

    Raises `NotFound`, also for another tenant's; `CaseNotRecordable` where it has not ended, is of another version, or
    could not be played again as it was.
    """
    with of_tenant(tenant):
        async with engine.database.reading() as conn:
            facts = await run_facts(conn, run_id, tenant=tenant)
            legs = [str(leg["run_id"]) for leg in await legs_of_case(conn, str(facts["case_id"]))]
            first = await get_run(conn, str(facts["case_id"]), tenant=tenant)
            last = await get_run(conn, legs[-1], tenant=tenant)
            thread = await get_thread(conn, first.thread_id, tenant=tenant)
            every = await records_of(conn, facts)
            entries = await entries_of(conn, first.thread_id, first.case_id)
            manifest = await manifest_of(conn, first.version)
            seats = await _seats(conn, every)
        _require_ended(last)
        workflow = _workflow(engine, first, manifest)
        _require_alone(first, legs, every)
        records = [record for record in every if record["run_id"] in legs]
        _require_readable(first, records, entries)
        snapshot = await engine.states.latest(thread)
    state: JsonObject = dict(snapshot.values) if snapshot else {}
    return EndedCase(first, last, workflow, records, entries, state, seats)


async def _seats(conn: Connection, records: Sequence[Record]) -> dict[tuple[str, str], Sequence[str]]:
    voted = {record["data"]["request_id"] for record in records if record["event"] == Event.APPROVAL_VOTED}
    return {(request_id, vote.by): vote.roles for request_id in voted for vote in await votes_on(conn, request_id)}


def _require_ended(last: Run) -> None:
    if last.outcome is None:
        raise CaseNotRecordable(
            f"The case of the run {last.id} has not ended: it is {last.status}.",
            hint="Record it when it has an outcome: gatehouse runs show says what it waits for.",
        )


def _workflow(engine: Engine, run: Run, manifest: JsonObject) -> Workflow:
    """As it was when the run was carried; which model answered makes no other version of it here."""
    if run.workflow not in engine.catalog:
        raise CaseNotRecordable(f"The run {run.id} is of the workflow {run.workflow!r}, which is not offered here.")
    workflow = engine.catalog[run.workflow]
    differing = [change["path"] for change in differences(manifest, workflow.manifest)]
    if other := [path for path in differing if str(path).partition(".")[0] != _ROUTES]:
        raise CaseNotRecordable(
            f"The run {run.id} was of version {run.version} of {run.workflow!r}, and here it differs in {other[0]}.",
            hint="Its replies fit the prompts of its own version. Record it where that version is checked out.",
        )
    return workflow


def _require_alone(first: Run, legs: Sequence[str], every: Sequence[Record]) -> None:
    for record in every:
        if why := _IN_THE_WAY.get(record["event"]):
            raise CaseNotRecordable(f"The case of the run {first.id} cannot be played again: {why}.")
        if record["event"] == Event.RUN_CREATED and record["run_id"] not in legs:
            raise CaseNotRecordable(
                f"The case of the run {first.id} shares its thread with others, whose state it would need.",
                hint="Only a case with a thread of its own can be played again.",
            )
    options = first.options
    if options.edits or options.interrupt_before or options.interrupt_after or first.input is None:
        raise CaseNotRecordable(f"The run {first.id} was started with options that no case has.")


def _require_readable(first: Run, records: Sequence[Record], entries: Sequence[Entry]) -> None:
    called = any(record["event"] == Event.MODEL_CALLED for record in records)
    if called and not any(entry["kind"] == "model" for entry in entries):
        raise CaseNotRecordable(
            f"Nothing is left of what models were asked in the case of the run {first.id}: its trace was pruned.",
            hint="How long traces of routine cases are kept: gatehouse retention plan.",
        )
    if any(lost in str([*records, *entries]) for lost in _LOST):
        raise CaseNotRecordable(
            f"A part of what is stored of the case of the run {first.id} cannot be read.",
            hint="It was erased, or sealed with a key that this process does not have.",
        )
