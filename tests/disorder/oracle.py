"""What may happen, kept by whoever gives the orders: by what they were answered, not by the engine's tables."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import permutations

from engine.access.keys import Principal
from tests.disorder.counter import Happened
from tests.disorder.workflow import FREE, ONE, TWO


@dataclass
class Oracle:
    """Grants: each lets one thing happen once."""

    grants: Counter[Happened] = field(default_factory=Counter)
    approvals: dict[str, list[Principal]] = field(default_factory=dict)
    """By request, who has approved it and was told so."""
    decided: set[str] = field(default_factory=set)
    """Requests of which somebody was told that their decision is the one."""
    raised: set[str] = field(default_factory=set)
    """Requests that somebody had go up."""
    edited: set[str] = field(default_factory=set)
    """Threads whose state somebody wrote from outside: nothing that is asked on them happens any more."""

    def asked(self, thread: str, case: str, number: int) -> None:
        """New input was accepted."""
        if number <= FREE and thread not in self.edited:
            self.grants[case, number] += 1

    def approved(self, request: str, who: Principal) -> None:
        """An approval was accepted, whether or not it decides."""
        self.approvals.setdefault(request, []).append(who)

    def concluded(self, request: str, happens: Happened | None) -> None:
        """A decision was accepted as the one; `happens` is what it lets happen."""
        assert request not in self.decided, "a request was decided twice"
        self.decided.add(request)
        if happens:
            assert happens[1] <= TWO, "approved what policy denies"
            self.grants[happens] += 1

    def escalated(self, request: str) -> None:
        """Somebody had it go up before its time."""
        self.raised.add(request)

    def enough(self, request: str, number: int, requester: str, above_them: frozenset[str] = frozenset()) -> bool:
        """Whether those who approved are the people whom policy wants; `above_them` may sit in any seat."""
        people = self.approvals.get(request, [])
        if len({p.name for p in people}) < len(people) or requester in {p.name for p in people}:
            return False
        seats = () if number <= FREE else ("finance",) if number <= ONE else ("finance", "manager")
        return any(
            all(seat in person.approver_roles or person.approver_roles & above_them for seat, person in seating)
            for seating in (list(zip(seats, order, strict=True)) for order in permutations(people, len(seats)))
        )
