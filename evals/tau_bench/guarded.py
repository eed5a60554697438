"""One conversation on record, through our graph, gateway, policy and gates, and what became of each change in it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.approval import JsonObject
from contracts.event import AuditRecord, Event
from engine.approvals.model import ApprovalRequest
from engine.approvals.questions import Question
from engine.audit import audit
from engine.models.recording import Recording
from engine.wiring import Engine
from evals.case import Answer, Case
from evals.case_files import CaseFolder
from evals.observation import Observation
from evals.playing import perform
from evals.scene import Scene, on_stage
from evals.tau_bench.on_record import Said
from evals.tau_bench.script_of_run import Attempt, Played, Script
from evals.worlds.airline_data import airline_records
from evals.worlds.whole_records import digest_of
from graphs.booking.wishes import WRITES

WORKFLOW, CUSTOMER = "booking", "the-customer"
_WRITES = {tool.name for tool in WRITES}
_LONGEST = 4000


@dataclass(frozen=True)
class Change:
    """A change that the model asked for on record."""

    asked: str
    """The tool as it is called on record."""
    done_on_record: bool
    became: str
    """`done`; or why not: the rule that denied it, what the customer or a reviewer said, a refusal of the system."""

    @property
    def stopped(self) -> bool:
        """Whether it was made on record, and is not here."""
        return self.done_on_record and self.became != "done"


@dataclass(frozen=True)
class Guarded:
    """What became of one conversation."""

    seen: Observation
    digest: str
    changes: tuple[Change, ...]
    spoken: tuple[str, ...]
    """What the customer was told."""
    recordings: tuple[Recording, ...]
    answers: tuple[Answer, ...]
    repairs: Mapping[str, int]
    steps_left: int
    why: str
    """How it ended, in the workflow's own words."""


async def with_guards(engine: Engine, folder: CaseFolder, script: Script) -> Guarded:
    """Play one conversation over the airline that the case in `folder` names; the script answers for the people."""
    played, answers = Played(script), list[Answer]()

    def improvised(waiting: ApprovalRequest | Question) -> Answer:
        answers.append(played.answer(waiting))
        return answers[-1]

    async with on_stage(engine, folder, played) as scene:
        seen = await perform(scene, WORKFLOW, improvised)
        digest, records = digest_of(airline_records(scene.worlds.store)), await _records(scene)
    return Guarded(
        seen=seen,
        digest=digest,
        changes=tuple(_changes(played.attempts, seen, records)),
        spoken=tuple(_spoken(played.given)),
        recordings=tuple(played.given),
        answers=tuple(answers),
        repairs=dict(played.repairs),
        steps_left=played.steps_left,
        why=str(seen.state.get("summary", "")),
    )


def case_of(script: Script, title: str, airline: str) -> JsonObject:
    """What of a case is known before it was played."""
    return {
        "title": title,
        "kind": "clarified",
        "words_from": "tau-bench/airline",
        "requester": CUSTOMER,
        "input": {"message": script.opening[:_LONGEST]},
        "airline": airline,
    }


def before_it_is_played(script: Script, title: str, airline: Path) -> CaseFolder:
    """A case that expects nothing yet."""
    nothing: JsonObject = {
        "outcome": "waiting",
        "stages": {"mode": "subset", "path": []},
        "gates": [],
        "effects": {},
        "limits": {"model_calls": 0, "tool_calls": 0},
    }
    case = Case.model_validate(case_of(script, title, str(airline.resolve())) | {"expect": nothing})
    return CaseFolder(WORKFLOW, title, airline, case, ())


async def _records(scene: Scene) -> list[AuditRecord]:
    async with scene.engine.database.reading() as conn:
        return [link.record for link in await audit.chain(conn, audit.stream_of(scene.thread_id))]


def _heard(state: JsonObject) -> list[Said]:
    """What the model heard of each change, in order."""
    conversation: Sequence[Said] = state.get("conversation", ())  # type: ignore[assignment]  # of this workflow
    heard = [json.loads(entry["says"]) for entry in conversation if entry["who"] == "tool"]
    return [one["result"] for one in heard if one["tool"] in _WRITES]


def _changes(attempts: Sequence[Attempt], seen: Observation, records: Sequence[AuditRecord]) -> Iterator[Change]:
    """Each change that was proposed was heard of once, and policy has judged those that got so far, in that order.

    One that was not heard of is the last, with which the workflow itself came to an end.
    """
    results, denied = iter(_heard(seen.state)), iter(_denials(records))
    for attempt in attempts:
        result = None if attempt.never else next(results, None)
        failed = str(seen.problem.get("code", seen.outcome))
        became = attempt.never or (failed if result is None else _became(result, denied))
        yield Change(attempt.step.use, not attempt.step.failed, became)


def _denials(records: Sequence[AuditRecord]) -> list[str]:
    frozen = [record["data"] for record in records if record["event"] == Event.ACTION_FROZEN]
    return [str(data["rule"]) for data in frozen if data["verdict"] == "deny"]


def _became(result: Said, denied: Iterator[str]) -> str:
    if "error" not in result:
        return "done"
    code = result["error"].get("code", "refused")
    if code == "policy_denied":
        return next(denied)
    return str(result["error"]["message"]) if code == "refused" else str(code)


def _spoken(given: Sequence[Recording]) -> Iterator[str]:
    for reply in given:
        if text := json.loads(reply.content)["move"].get("text"):
            yield text
