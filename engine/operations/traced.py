"""The reasoning trace as it is shown: with what tools were asked and answered, by each time at a stage."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from engine.operations.cases import records_of
from engine.reasoning.calls import add_calls
from engine.reasoning.pages import Entry, entries_of
from engine.runs.report import run_facts
from engine.store.database import Database

Json = dict[str, Any]


async def show_trace(database: Database, run_id: str, *, tenant: str) -> Json:
    """Everything that was traced of the run's case over all its runs, in order. Raises `NotFound`.

    `trace_id` is one for the whole case, as exports have it. What was pruned or erased is not there.
    """
    async with database.transaction() as conn:
        run = await run_facts(conn, run_id, tenant=tenant)
        entries = await entries_of(conn, str(run["thread_id"]), str(run["case_id"]))
        records = await records_of(conn, run)
    return {"run": run, "trace_id": str(run["case_id"]).replace("-", ""), "entries": add_calls(entries, records)}


class Visits:
    """What was traced of each stage, a list for each time that a run was at it."""

    def __init__(self) -> None:
        self._ended: dict[str, list[list[Entry]]] = defaultdict(list)
        self._open: dict[str, list[Entry]] = defaultdict(list)

    def add(self, entry: Entry) -> None:
        """An entry names its stage; what comes behind the end of a stage is of the next time at it."""
        stage = str(entry.get("stage") or "")
        self._open[stage].append(entry)
        if entry["kind"] == "stage" and not (entry.get("waits") or entry.get("error")):
            self._ended[stage].append(self._open.pop(stage))

    def take(self, stage: str, *, ended: bool) -> list[Entry]:
        """The next time at a stage that ended, or what there is of one that has not."""
        if ended:
            return self._ended[stage].pop(0) if self._ended[stage] else []
        return self._open.pop(stage, [])


def visits_of(entries: Iterable[Entry]) -> Visits:
    """The entries of a case by the times at its stages."""
    visits = Visits()
    for entry in entries:
        visits.add(entry)
    return visits
