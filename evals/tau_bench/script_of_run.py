"""A model that says again what another one said elsewhere, and the customer and reviewers of that conversation.

What our graph wants beside it is put in by code and counted: who the customer is, and that a reservation was read.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from contracts.approval import JsonObject
from engine.approvals.model import ApprovalRequest
from engine.approvals.questions import Question
from engine.models.recording import Recording, Recordings, parts_of
from evals.case import Answer, Approve, Reject, Reply
from evals.tau_bench.as_moves import (
    AIRPORTS,
    BOOK,
    CALCULATE,
    FIND,
    PERSON,
    PROFILE,
    RESERVATION,
    disrupted,
    said_id,
    same_wish,
    wanted,
)
from evals.tau_bench.on_record import Said
from evals.tau_bench.recorded_runs import Step
from graphs.booking.wishes import WRITES

_WRITES = {tool.name for tool in WRITES}
_UNNEEDED = {CALCULATE, AIRPORTS}
"""Reads that nothing of ours waits for: where they are not on offer, nothing is lost."""
_LONGEST = 2000
_WRONG_SUMS = ("does not add up", "not enough balance in payment method")
"""How the airline on record refuses a booking whose sums are wrong. With us they are worked out by code."""
_ASK = "Please tell me your user id first."
_OVER = "Everything is done."
_CUT = "The conversation on record ends here."


_Said = tuple[JsonObject, Literal["recorded", "written"]]
"""A move, and whether it is the model's or was put in."""


@dataclass(frozen=True)
class Script:
    """One conversation: how it is opened, each step of the assistant, and who the customer is."""

    opening: str
    steps: tuple[Step, ...]
    customer_id: str
    model: str
    ended: bool = True
    """Whether the last step ends it; a conversation that was cut off goes to a person."""
    came_for: tuple[tuple[str, Said], ...] | None = None
    """What the customer confirms and a reviewer approves, as on record; None: everything."""


@dataclass
class Attempt:
    """A change that the model asked for on record, and what became of it here."""

    step: Step
    never: str = ""
    """Why it was not even proposed."""


@dataclass
class Played(Recordings):
    """Answers the calls of one conversation in order, and gives the people's answers to what it waits for."""

    script: Script
    given: list[Recording] = field(default_factory=list)
    """What was replied, each with its key."""
    attempts: list[Attempt] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)
    """What code put in, or left out, by kind."""

    def __post_init__(self) -> None:
        super().__init__()
        self._left = list(self.script.steps)
        self._words: str | None = None
        self._tried: set[tuple[str, ...]] = set()
        self._meant: Step | None = None

    @property
    def steps_left(self) -> int:
        """Steps of the conversation that were never asked for."""
        return len(self._left)

    def take(self, case: str, stage: str, key: str, messages: list[str]) -> Recording:
        said = json.loads(messages[-1].partition(": ")[2])
        move, source = self._next(set(said["tools"]), said["conversation"])
        model = self.script.model if source == "recorded" else "the import"
        content = json.dumps({"move": move}, ensure_ascii=False)
        reply = Recording(stage, str(key), source, model, content, messages, parts=parts_of(key))
        self.given.append(reply)
        return reply

    def answer(self, waiting: ApprovalRequest | Question) -> Answer:
        """What the customer says next on record; or whether they, or a reviewer, agree to what is shown to them."""
        if isinstance(waiting, Question) and self._words is not None:
            words, self._words = self._words, None
            return Reply(type="answer", text=words)
        agrees = self._came_for()
        if isinstance(waiting, Question):
            return Reply(type="answer", text="yes" if agrees else "No, that is not what I want.")
        return Approve(type="approve") if agrees else Reject(type="reject", message="Not what they came for.")

    def _came_for(self) -> bool:
        if self.script.came_for is None or self._meant is None:
            return True
        return any(same_wish(self._meant, name, args) for name, args in self.script.came_for)

    def _next(self, offered: set[str], conversation: Sequence[Said]) -> _Said:
        heard = [json.loads(one["says"]) for one in conversation if one["who"] == "tool"]
        spoken = [one["says"] for one in conversation if one["who"] == "requester"]
        while self._left:
            step = self._left[0]
            if step.says:
                self._left.pop(0)
                return self._speech(step)
            if move := self._move(step, offered, spoken, heard):
                return move
        if self.script.ended:
            return {"use": "finish", "text": _OVER}, "written"
        return {"use": PERSON, "args": {"summary": _CUT}}, "written"

    def _speech(self, step: Step) -> _Said:
        if step.last:
            return {"use": "finish", "text": step.says[:_LONGEST]}, "recorded"
        self._words = step.heard or _CUT
        return {"use": "say", "text": step.says[:_LONGEST]}, "recorded"

    def _move(self, step: Step, offered: set[str], spoken: list[str], heard: list[Said]) -> _Said | None:
        """The step as a move, or what has to come before it; None where it is left out."""
        if step.use == "send_certificate" and (first := self._look_for_a_disruption(offered, spoken, heard)):
            return first
        move, why = _meaning(step, spoken, heard)
        if why:
            self._leave_out(step, move, why)
            return None
        if FIND in offered and move["use"] != PERSON:
            return self._identify(step, move, spoken)
        return self._make(step, move) if move["use"] in offered else self._open(step, move)

    def _make(self, step: Step, move: JsonObject) -> _Said:
        self._left.pop(0)
        self._meant = step
        if move["use"] in _WRITES:
            self.attempts.append(Attempt(step))
        return move, "recorded"

    def _open(self, step: Step, move: JsonObject) -> _Said | None:
        """What is read so that a tool is on offer; where that was done before, the step is left out."""
        if before := self._opened_by(move):
            self.repairs[f"read first, for {str(move['use']).partition('.')[2]}"] += 1
            return before, "written"
        self._leave_out(step, move, "not on offer")
        return None

    def _leave_out(self, step: Step, move: JsonObject, why: str) -> None:
        """It is not made. Of what would have changed something it is kept why."""
        self._left.pop(0)
        self.repairs[f"left out: {why if move or why == 'thought' else 'unfit'}"] += 1
        if step.use.startswith(("book", "cancel", "update", "send")):
            self.attempts.append(Attempt(step, never=why))

    def _identify(self, step: Step, move: JsonObject, spoken: list[str]) -> _Said | None:
        """Whoever asks is found first: by the model's own wish, by what they have said, or because they are asked."""
        if step.use == "get_user_details" and self._once(FIND, step.args["user_id"]):
            self._left.pop(0)
            return {"use": FIND, "args": {"customer_id": step.args["user_id"]}}, "recorded"
        if (found := said_id(spoken)) and self._once(FIND, found):
            self.repairs["identified by what they said"] += 1
            return {"use": FIND, "args": {"customer_id": found}}, "written"
        if self._once("ask"):
            self.repairs["asked for their user id"] += 1
            self._words = f"It is {self.script.customer_id}."
            return {"use": "say", "text": _ASK}, "written"
        self._leave_out(step, move, "nobody identified")
        return None

    def _opened_by(self, move: JsonObject) -> JsonObject | None:
        """The read after which a tool is on offer; None where that was tried."""
        use, args = str(move["use"]), move["args"]
        if use in _UNNEEDED or not isinstance(args, dict):
            return None
        if use == BOOK:
            return {"use": PROFILE, "args": {"customer_id": self.script.customer_id}} if self._for(use) else None
        wanted_id = str(args.get("reservation_id", ""))
        if not wanted_id or not self._for(use, wanted_id):
            return None
        return {"use": RESERVATION, "args": {"reservation_id": wanted_id}}

    def _look_for_a_disruption(self, offered: set[str], spoken: list[str], heard: list[Said]) -> _Said | None:
        """The next reservation of theirs that was not read; None once one was found that a certificate is for."""
        if RESERVATION not in offered or disrupted(heard, spoken):
            return None
        profiles = [one["result"] for one in heard if "reservations" in one["result"]]
        for reservation_id in profiles[-1]["reservations"] if profiles else ():
            if self._once("looked", reservation_id) and reservation_id not in _readings(heard):
                self.repairs["read first, for send_certificate"] += 1
                return {"use": RESERVATION, "args": {"reservation_id": reservation_id}}, "written"
        return None

    def _for(self, *what: str) -> bool:
        return self._once("for", str(len(self._left)), *what)

    def _once(self, *what: str) -> bool:
        """Whether this was not tried before."""
        if what in self._tried:
            return False
        self._tried.add(what)
        return True


def _readings(heard: list[Said]) -> set[str]:
    return {one["result"]["reservation_id"] for one in heard if "segments" in one["result"]}


def _meaning(step: Step, spoken: list[str], heard: list[Said]) -> tuple[JsonObject, str]:
    """The step as a move, or why it is left out."""
    try:
        move = wanted(step, spoken, heard)
    except ValueError as error:
        return {}, f"unfit: {error}"
    if move is None:
        return {}, "thought"
    return move, "wrong sum" if _is_wrong_sum(step) else ""


def _is_wrong_sum(step: Step) -> bool:
    return step.use == "book_reservation" and any(said in (step.observed or "") for said in _WRONG_SUMS)
