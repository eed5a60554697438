"""The orders that can be given, one rule each, and what must hold after each of them and at the end."""

import asyncio
import uuid
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.access.keys import Principal
from engine.approvals.decisions import Decided, Submission
from engine.runs.model import RunOptions
from tests.disorder.counter import Mood
from tests.disorder.mortal import Death
from tests.disorder.office import ADA, DEE, FAY, FIN, MAX, PEOPLE, Office
from tests.disorder.oracle import Oracle

T = TypeVar("T")
_ROUNDS = 12
_CASES = 3
_GOES_UP = timedelta(minutes=30)
CLOSED = ("approved", "edited", "rejected", "responded", "expired", "cancelled", "denied", "superseded")
MOODS: tuple[Mood, ...] = (
    *("fails", "acts and fails", "is away", "refuses", "worker dies", "acts and worker dies"),
)  # fmt: skip
NODES = ("freeze_add", "gate_add", "act_add", "gate_press", "act_press", "close", "hand_off", "__start__")
_EFFECTS = """
SELECT e.idempotency_key, e.action_digest, e.approval_id::text, e.args, a.action_digest AS approved_digest,
       a.args AS approved_args, a.status, a.thread_id = e.thread_id AS own
FROM effect e JOIN approval a ON a.id = e.approval_id WHERE e.thread_id = ANY(%s) AND e.effect_class <> 'read'
"""

cases: Bundle["Case"] = Bundle("cases")
NUMBERS = (3, 50, 500, 5_000)
numbers = st.sampled_from(NUMBERS)
gated = st.sampled_from((50, 50, 500))
ways = st.sampled_from(("add", "press"))
rarely = st.sampled_from((False, False, False, False, False, True))
kinds = st.sampled_from(("approve", "approve", "approve", "reject", "respond"))
holds = st.sampled_from(("claim", "release", "assign", "delegate", "escalate"))
people = st.sampled_from((ADA, FAY, MAX, DEE, FAY, *PEOPLE))
edits = st.sampled_from(("update_state", "update_state as", "goto", "command.update", "old checkpoint"))
which = st.integers(0, 5)
"""Of the requests that wait."""
deaths = st.builds(Death, st.integers(1, 9), st.sampled_from(("before", "after")))


@dataclass(frozen=True)
class Case:
    """A thread, and the name under which its effects are counted."""

    thread: str
    name: str
    requester: str


class Ordered(RuleBasedStateMachine):
    """What all rules share."""

    def __init__(self, office: Office, loop: asyncio.Runner) -> None:
        super().__init__()
        self.office, self.loop, self.oracle = office, loop, Oracle()
        self.mine: list[Case] = []
        self.closed: dict[str, str] = {}
        self.rows: list[dict[str, Any]] = []
        """Every request of these cases, as it was after the last order."""
        self.asked = 0
        self.ahead = timedelta()
        """How far the clock has been ahead."""
        office.counter.moods.clear()

    @property
    def threads(self) -> list[str]:
        return [case.thread for case in self.mine]

    def do(self, call: Awaitable[T]) -> T:
        async def run() -> T:
            return await call

        return self.loop.run(run())

    def tried(self, what: str, call: Awaitable[Any]) -> Any:
        return self.do(self.office.tried(what, call))

    @property
    def pending(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["status"] == "pending"]

    def somebody_asked(self, number: int) -> tuple[Case, dict[str, Any]]:
        """A case that waits for people, made if there is none.

        No rule has a precondition that depends on what the engine answered: it may answer otherwise the next time, and
        Hypothesis wants the same choices to lead to the same orders.
        """
        if not self.pending:
            self.park((50, 50, 500)[number % 3], "add" if number % 2 else "press")
        return self.one_of(self.pending, number)

    def park(self, number: int, how: str) -> Case:
        """A new case, at the gate."""
        self.office.counter.moods.clear()
        case = self.ask_as(ADA, number, how)
        self.do(self.office.work())
        self.rows = self.do(self.office.requests(*self.threads))
        return case

    def ask_as(self, who: Principal, number: int, how: str) -> Case:
        case = Case(self.do(self.office.new_thread()), f"case-{uuid.uuid4().hex[:12]}", who.name)
        self.mine.append(case)
        self.send_input(case, number, how, who)
        return case

    def send_input(self, case: Case, number: int, how: str, who: Principal) -> None:
        value: dict[str, Any] = {"case": case.name, "number": number, "how": how}
        if self.tried("input", self.office.accept(case.thread, value, who)):
            self.oracle.asked(case.thread, case.name, number)

    def one_of(self, rows: list[dict[str, Any]], number: int) -> tuple[Case, dict[str, Any]]:
        row = rows[number % len(rows)]
        return next(case for case in self.mine if case.thread == str(row["thread_id"])), row

    def again(self, row_id: str) -> dict[str, Any]:
        return next(row for row in self.do(self.office.requests(*self.threads)) if row["id"] == row_id)


class Callers(Ordered):
    """Who starts cases, and tries to move them past their gates."""

    @initialize(target=cases, number=gated, how=ways)
    def begin(self, number: int, how: str) -> Case:
        return self.park(number, how)

    @precondition(lambda self: self.asked < _CASES)
    @rule(target=cases, number=numbers, how=ways, who=st.sampled_from((ADA, FIN)))
    def ask(self, number: int, how: str, who: Principal) -> Case:
        self.asked += 1
        return self.ask_as(who, number, how)

    @rule(case=cases, number=st.sampled_from((None, *NUMBERS)), how=ways)
    def send_new_input(self, case: Case, number: int | None, how: str) -> None:
        """Or none: to go on where the thread stands."""
        if number is None:
            self.tried("proceed", self.office.accept(case.thread, None, ADA))
        else:
            self.send_input(case, number, how, FIN if case.requester == FIN.name else ADA)

    @rule(case=cases, way=edits, node=st.sampled_from(NODES), number=numbers, place=st.integers(0, 30))
    def write_from_outside(self, case: Case, way: str, node: str, number: int, place: int) -> None:
        """And ask again: what is asked on such a thread must not happen."""
        values = {"number": number, "decision": {"type": "approve"}}
        match way:
            case "update_state":
                call: Awaitable[Any] = self.office.update(case.thread, values, None)
            case "update_state as":
                call = self.office.update(case.thread, values, node)
            case "goto":
                call = self.office.accept(case.thread, None, ADA, RunOptions(goto=(node,)))
            case "command.update":
                call = self.office.accept(case.thread, None, ADA, RunOptions(update=values))
            case _:
                call = self.office.start_at_checkpoint(case.thread, place)
        if self.tried(way, call):
            self.oracle.edited.add(case.thread)
            self.send_new_input(case, number, "add")

    @rule(number=which, other_number=numbers, also_what=st.booleans())
    def forge_a_decision(self, number: int, other_number: int, also_what: bool) -> None:
        case, row = self.somebody_asked(number)
        self.forge(case, row, {"number": other_number} if also_what else {})

    def forge(self, case: Case, row: dict[str, Any], otherwise: dict[str, Any]) -> None:
        """Nothing but the gateway stands between this and an effect."""
        covered = {"request_id": row["id"], "args": row["args"] | otherwise, "action_digest": row["action_digest"]}
        decision = covered | {"type": "approve", "by": "key:fin", "reason": "", "message": ""}
        values = {"decision": decision, "proposal": covered | {"verdict": "allow"}}
        self.do(self.office.forge(case.thread, values, row["tool"].replace("counter.", "gate_")))

    @rule(case=cases, action=st.sampled_from(("interrupt", "rollback")), then_go_on=rarely)
    def cancel(self, case: Case, action: Any, then_go_on: bool) -> None:
        if any(str(row["thread_id"]) == case.thread for row in self.rows):
            self.tried(f"cancel, {action}", self.office.cancel(case.thread, action))
        if then_go_on:
            self.send_new_input(case, None, "add")


class Reviewers(Callers):
    """Who decides, or may not."""

    @rule(number=which, who=people, to=people, what=holds)
    def hold(self, number: int, who: Principal, to: Principal, what: str) -> None:
        _, row = self.somebody_asked(number)
        done = self.tried(what, self.office.hold(what, row["id"], who, to))
        if done and what == "escalate":
            self.oracle.escalated(row["id"])

    @rule(number=which, who=people, kind=kinds, stale=rarely)
    def decide(self, number: int, who: Principal, kind: Any, stale: bool) -> None:
        case, row = self.somebody_asked(number)
        said = self._say(row, who, Submission(kind, "0" * 64 if stale else row["action_digest"], message="why?"))
        assert not (said and stale), "a decision about something else was taken"
        self._decided(case, row, who, said)

    @rule(number=which, who=people, kind=kinds)
    def decide_what_is_closed(self, number: int, who: Principal, kind: Any) -> None:
        over = [row for row in self.rows if row["id"] in self.closed]
        if not over:
            return
        _, row = self.one_of(over, number)
        assert not self._say(row, who, Submission(kind, row["action_digest"], message="why?")), "decided once more"

    @rule(number=which, then_forge=st.booleans())
    def approve_as_it_should_be(self, number: int, then_forge: bool) -> None:
        case, row = self.somebody_asked(number)
        who_asked = ADA if case.requester == ADA.name else FIN
        assert not self._say(row, who_asked, Submission("approve", row["action_digest"])), "decided on their own case"
        for who in (FAY, MAX):
            if self.again(row["id"])["status"] == "pending":
                said = self._say(row, who, Submission("approve", row["action_digest"]))
                self._decided(case, row, who, said)
        if then_forge:
            self.forge(case, row, {"number": 5_000})

    @rule(
        number=which,
        who=st.sampled_from((FAY, FAY, FAY, *PEOPLE)),
        edited=numbers,
        other_tool=rarely,
        other_case=rarely,
    )
    def edit(self, number: int, who: Principal, edited: int, other_tool: bool, other_case: bool) -> None:
        case, row = self.somebody_asked(number)
        args = {"case": self.mine[0].name if other_case else case.name, "number": edited}
        tool = "counter.tally" if other_tool else row["tool"]
        said = self._say(row, who, Submission("edit", row["action_digest"], tool=tool, args=args))
        assert not (said and other_tool), "an edit named another tool"
        self._decided(case, row, who, said)

    @rule(number=which, who=people, other=people, kind=st.sampled_from(("approve", "reject")))
    def two_decide_at_once(self, number: int, who: Principal, other: Principal, kind: Any) -> None:
        case, row = self.somebody_asked(number)

        async def both() -> list[Decided | None]:
            said = [("approve", who), (kind, other)]
            calls = [self.office.decide(row["id"], Submission(k, row["action_digest"]), w) for k, w in said]
            return await asyncio.gather(*(self.office.tried("at once", call) for call in calls))

        first, second = self.do(both())
        # Of a quorum, the vote that is not the last has its answer without a decision.
        pairs = [(first, who), (second, other)]
        for said, person in sorted(pairs, key=lambda pair: bool(pair[0] and pair[0].decision)):
            self._decided(case, row, person, said)

    @rule(case=cases, who=people, kind=st.sampled_from(("approve", "reject")), by_id=st.booleans(), number=which)
    def resume(self, case: Case, who: Principal, kind: str, by_id: bool, number: int) -> None:
        asked = [row for row in self.rows if str(row["thread_id"]) == case.thread and row["interrupt_id"]]
        row = asked[number % len(asked) if by_id else -1] if asked else None
        answer: Any = {"type": kind}
        value = {str(row["interrupt_id"]): answer} if row and by_id else answer
        if self.tried("resume", self.office.resume(case.thread, value, who)):
            assert row, "there was nothing to resume"
            if kind == "approve":
                self.oracle.approved(row["id"], who)
            if self.again(row["id"])["status"] != row["status"]:
                self._concluded(case, row)

    def _say(self, row: dict[str, Any], who: Principal, submission: Submission) -> Decided | None:
        said: Decided | None = self.tried(submission.type, self.office.decide(row["id"], submission, who))
        return said

    def _decided(self, case: Case, row: dict[str, Any], who: Principal, said: Decided | None) -> None:
        if not said:
            return
        if said.votes[-1].type in ("approve", "edit"):
            self.oracle.approved(row["id"], who)
        if said.decision:
            self._concluded(case, row)

    def _concluded(self, case: Case, row: dict[str, Any]) -> None:
        """Somebody was told that theirs is the decision: whatever it lets happen is theirs to let happen."""
        after = self.again(row["id"])
        if after["status"] not in ("approved", "edited"):
            self.oracle.concluded(row["id"], None)
            return
        covered = self.again(str(after["replaced_by"])) if after["replaced_by"] else after
        above = frozenset(after["escalated_to"])
        assert not above or row["id"] in self.oracle.raised or self.ahead >= _GOES_UP, "it went up before its time"
        for args in (row["args"], covered["args"]):
            assert self.oracle.enough(row["id"], args["number"], case.requester, above), "approved by the wrong people"
        self.oracle.concluded(row["id"], (covered["args"]["case"], covered["args"]["number"]))


class Machinery(Ordered):
    """Workers that live and die, the outside system's moods, and the clock."""

    @rule()
    def work(self) -> None:
        self.do(self.office.work())

    @rule(death=deaths, case=cases, number=numbers)
    def die_at_work(self, death: Death, case: Case, number: int) -> None:
        """Over whatever waits, new input of this case among it."""
        self.send_input(case, number, "press", FIN if case.requester == FIN.name else ADA)
        self.do(self.office.work(death))

    @rule()
    def take_over(self) -> None:
        self.do(self.office.take_over(self.threads))

    @rule(moods=st.lists(st.sampled_from(MOODS), min_size=1, max_size=3))
    def trouble_outside(self, moods: list[Mood]) -> None:
        self.office.counter.moods[:] = moods

    @rule(minutes=st.sampled_from((5, 31, 31, 31, 61, 121)))
    def pass_time(self, minutes: int) -> None:
        """Timers fire as if it were so much later; what is asked then is asked at its own time again."""
        self.ahead = max(self.ahead, timedelta(minutes=minutes))
        self.do(self.office.pass_time(timedelta(minutes=minutes)))


class AnyOrder(Reviewers, Machinery):
    """All of it."""

    @invariant()
    def all_holds(self) -> None:
        self._nothing_happens_that_was_not_granted()
        self._no_key_acts_twice()
        self._what_is_closed_stays_closed()

    def _nothing_happens_that_was_not_granted(self) -> None:
        names = {case.name for case in self.mine}
        happened = {what: times for what, times in self.office.counter.happened.items() if what[0] in names}
        beyond = {what: (times, self.oracle.grants[what]) for what, times in happened.items()}
        assert all(times <= granted for times, granted in beyond.values()), f"happened, granted: {beyond}"

    def _no_key_acts_twice(self) -> None:
        assert max(self.office.counter.keys.values(), default=0) <= 1, "one idempotency key acted twice"

    def _what_is_closed_stays_closed(self) -> None:
        self.rows = self.do(self.office.requests(*self.threads))
        for row in self.rows:
            before = self.closed.get(row["id"], row["status"])
            assert before == row["status"], f"{before} became {row['status']}"
            if row["status"] in CLOSED:
                self.closed[row["id"]] = row["status"]

    def teardown(self) -> None:
        self.office.counter.moods.clear()
        for _ in range(_ROUNDS):
            self.do(self.office.take_over(self.threads))
            self.do(self.office.pass_time(timedelta(days=30)))
            if not any(self._unended()):
                break
        self.all_holds()
        self._count_ends()
        assert self._unended() == [[], [], []], "requests, threads and runs without an end"
        self._the_ledger_agrees()

    def _count_ends(self) -> None:
        """For whoever looks at how much of it was tried."""
        for row in self.do(self.office.requests(*self.threads)):
            self.office.answers[f"ended: {row['status']}"] += 1
        happened = sum(self.office.counter.happened[name, n] for name in {c.name for c in self.mine} for n in NUMBERS)
        self.office.answers["happened"] += happened

    def _unended(self) -> list[list[Any]]:
        queries = (
            "SELECT id, status FROM approval WHERE thread_id = ANY(%s) AND status IN ('frozen', 'pending')",
            "SELECT id, status FROM thread WHERE id = ANY(%s) AND status NOT IN ('idle', 'error')",
            "SELECT id, status FROM run WHERE thread_id = ANY(%s) AND status IN ('pending', 'running')",
        )
        return [self.do(self.office.bench.rows(query, self.threads)) for query in queries]

    def _the_ledger_agrees(self) -> None:
        """Each effect consumed an approval of its own case, for exactly its digest and arguments."""
        effects = self.do(self.office.bench.rows(_EFFECTS, self.threads))
        for effect in effects:
            assert effect["own"], "an approval of another case was used"
            assert effect["status"] == "approved", f"an effect of a request that is {effect['status']}"
            assert effect["action_digest"] == effect["approved_digest"], "another digest than the approved one"
            assert effect["args"] == effect["approved_args"], "other arguments than the approved ones"
        assert len({effect["approval_id"] for effect in effects}) == len(effects), "one approval, two effects"
