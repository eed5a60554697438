"""Makes the files of an eval case of what is stored of a case that has ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml
from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.event import AuditRecord, Event
from engine.models.recording import Recording, write_recordings
from evals.case import Case, Kind
from evals.case_files import CALLS, CASE, TOOLS, CaseFolder
from evals.observation import count, executed_in, gates_in, stages_in
from evals.recording.ended_case import EndedCase
from evals.recording.masking import REDACTION
from evals.recording.model_traffic import model_traffic
from evals.recording.people import answers_in, name_of
from evals.recording.systems import portable, tool_traffic
from evals.tool_traffic import Answered, line_of

_WIDTH = 120
_BY_ANSWER: dict[str, Kind] = {
    "expire": "expired",
    "reject": "gated_rejected",
    "respond": "sent_back",
    "edit": "gated_edited",
    "approve": "gated_approved",
    "answer": "clarified",
}
"""What a case is in the collection for, by the first of these that anybody answered."""


@dataclass(frozen=True)
class Made:
    """A case that is not written yet."""

    workflow: str
    name: str
    said: JsonObject
    """Its `case.yaml`."""
    recordings: tuple[Recording, ...]
    answered: tuple[Answered, ...]

    def folder(self, root: Path) -> CaseFolder:
        """As if it lay in `root`."""
        case = Case.model_validate(self.said)
        return CaseFolder(self.workflow, self.name, root / self.name, case, self.recordings, self.answered)

    def write(self, folder: Path) -> None:
        """Into a folder of its own. Raises `FileExistsError`: nothing is written over."""
        folder.mkdir(parents=True)
        text = yaml.safe_dump(self.said, sort_keys=False, allow_unicode=True, width=_WIDTH)
        (folder / CASE).write_text(text, encoding="utf-8")
        write_recordings(folder / CALLS, self.recordings)
        (folder / TOOLS).write_text("".join(f"{line_of(each)}\n" for each in self.answered), encoding="utf-8")


def make_case(case: EndedCase, name: str) -> Made:
    """The case under a name. Raises `CaseNotRecordable` for what no case can say."""
    answers = answers_in(case)
    given = case.masked(cast("list[JsonValue]", answers))
    said: JsonObject = {
        "title": f"Recorded: {case.run.workflow} ended as {case.last.outcome}",
        "kind": _kind(case, answers),
        "words_from": "recorded",
        "requester": name_of(case.run.requester),
        "opened_on": case.run.created_at.date().isoformat(),
        "input": case.masked(dict(case.run.input or {})),
        **({"context": case.masked(dict(case.run.options.context))} if case.run.options.context else {}),
        **({"answers": given} if given else {}),
        "source": {"run": case.run.id, "version": case.run.version, "redaction": REDACTION},
        "expect": _expectations(case),
    }
    return Made(case.run.workflow, name, said, tuple(model_traffic(case)), tuple(tool_traffic(case)))


def _kind(case: EndedCase, answers: Sequence[JsonObject]) -> Kind:
    given = {str(answer["type"]) for answer in answers}
    for answer, kind in _BY_ANSWER.items():
        if answer in given:
            return kind
    return "handed_off" if case.last.outcome == "handed_off" else "automatic"


def _expectations(case: EndedCase) -> JsonObject:
    records: Sequence[AuditRecord] = case.records  # type: ignore[assignment]  # with the numbers of the chain beside
    executed: list[JsonValue] = [portable(case, call) for call in executed_in(records, case.run.thread_id)]
    expected: JsonObject = {
        "outcome": case.last.outcome,
        "stages": {"mode": "exact", "path": [*stages_in(records)]},
        "gates": [*gates_in(records)],
        "effects": {},
        "executed": executed,
    }
    if problem := _problem(case):
        expected["problem"] = problem
    calls = {"model_calls": count(records, Event.MODEL_CALLED), "tool_calls": count(records, Event.CALL_STARTED)}
    return expected | {"limits": {**calls}}


def _problem(case: EndedCase) -> JsonObject:
    if case.last.error:
        return {"code": case.last.error["error"], "category": ""}
    found = case.state.get("problem")
    return {name: found[name] for name in ("code", "category", "stage")} if isinstance(found, dict) else {}
