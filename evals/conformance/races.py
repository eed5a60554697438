"""The rows that two callers try at the same moment, many times, across the servers if there are two."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

from evals.conformance.finding import Finding, Table, held_if
from evals.conformance.rig import APPROVE, REJECT, SHOWN, Answer, Rig

RACES = Table()
_AT_A_TIME = 5


@dataclass(frozen=True)
class Heat:
    """One race: what each was answered, and what was paid in the end."""

    approved: Answer
    other: Answer
    paid: list[int]
    rejected: bool
    """Whether the case says that it was rejected."""

    @property
    def accepted(self) -> list[Answer]:
        return [answer for answer in (self.approved, self.other) if not answer.refused and answer.status < 300]


@RACES.row(
    "8a",
    "reject and approve at the same moment",
    wanted="exactly one wins and the other is told; paid only if approve won",
)
async def reject_and_approve(rig: Rig) -> Finding:
    heats = await _heats(rig, REJECT)
    clear = [heat for heat in heats if len(heat.accepted) == 1]
    wrong = [heat for heat in heats if heat.paid != ([SHOWN] if heat.accepted == [heat.approved] else [])]
    both = sum(len(heat.accepted) > 1 for heat in heats)
    against = sum(heat.rejected and bool(heat.paid) for heat in heats)
    won = Counter("approve" if heat.accepted == [heat.approved] else "reject" for heat in clear)
    seen = f"{len(clear)} of {len(heats)} had one winner (approve {won['approve']}, reject {won['reject']})"
    seen += f"; loser: {_said(heats)}" if clear else ""
    seen += f"; both accepted {both}" if both else ""
    seen += f"; rejected and paid {against}" if against else ""
    return held_if(len(clear) == len(heats) and not wrong, f"{seen}; {_counted(heats)}")


@RACES.row("8b", "approve and approve at the same moment (double-click)", wanted="one refund, every time")
async def double_click(rig: Rig) -> Finding:
    heats = await _heats(rig, APPROVE)
    once = sum(heat.paid == [SHOWN] for heat in heats)
    said = _said(heats)
    return held_if(
        once == len(heats), f"1 refund in {once} of {len(heats)}{f'; loser: {said}' if said else ''}; {_counted(heats)}"
    )


async def _heats(rig: Rig, other: dict[str, str]) -> list[Heat]:
    """All races, a few at a time, so that none waits for a server that is busy with the rest."""
    found: list[Heat] = []
    for first in range(0, rig.races, _AT_A_TIME):
        numbers = range(first, min(first + _AT_A_TIME, rig.races))
        found += await asyncio.gather(*(_heat(rig, number, other) for number in numbers))
    return found


async def _heat(rig: Rig, number: int, other: dict[str, str]) -> Heat:
    case = await rig.parked()
    calls = [
        rig.run(case, "reviewer", server=number, command=case.answered(APPROVE)),
        rig.run(case, "reviewer", server=number + 1, command=case.answered(other)),
    ]
    # Who is sent first takes turns, and so does which server gets which.
    order = calls if number // 2 % 2 else calls[::-1]
    answers = await asyncio.gather(*order)
    approved, second = answers if order is calls else answers[::-1]
    paid = [amount for _, amount in await rig.paid(case)]
    state: Any = await rig.client().threads.get_state(case.thread)
    decision = state["values"].get("decision")
    return Heat(approved, second, paid, isinstance(decision, dict) and decision.get("type") == "reject")


def _said(heats: list[Heat]) -> str:
    """What losers were told, the most frequent first."""
    told = Counter(str(a) for heat in heats for a in (heat.approved, heat.other) if a not in heat.accepted)
    return ", ".join(f"{said} x{times}" for said, times in told.most_common(3))


def _counted(heats: list[Heat]) -> str:
    times = Counter(len(heat.paid) for heat in heats)
    return "refunds: " + ", ".join(f"{many} in {times[many]}" for many in sorted(times))
