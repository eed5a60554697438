"""Attacks and tasks of the attack suite as these tests play them, with what the audit trail says of each."""

from evals.attacks.kinds import ATTACKS, TASKS
from evals.attacks.model import Attack
from evals.attacks.playing import Approver, Outcome, play, with_desk
from tests.engines import Bench

KNOWN = {one.name: one for one in (*ATTACKS, *TASKS)}


async def played(bench: Bench, attack: Attack | str, approver: Approver = "perfect") -> Outcome:
    """What came of an attack, or of a task, that is given or named; `reasons` are those on record."""
    known = KNOWN[attack] if isinstance(attack, str) else attack
    return await play(with_desk(bench.engine), known, approver)
