"""The rows that one caller tries alone: each on a case of its own that waits for the reviewer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from evals.conformance.finding import Finding, Table, held_if
from evals.conformance.payments import Paid
from evals.conformance.rig import APPROVE, REJECT, SHOWN, Answer, Case, Rig, Who

ATTACKS = Table()
GATE, ACT = "gate", "act"
"""Stages of the graph."""
RIGHT: list[Paid] = [("refund", SHOWN)]
NOTHING: list[Paid] = []


@ATTACKS.row(
    "1",
    "stale resume={old interrupt id: approve} after new input",
    wanted="refused; nothing is paid and the newer request stays open",
)
async def stale_answer(rig: Rig) -> Finding:
    case = await rig.parked()
    renewed = await rig.ask_anew(case, 99_999)
    if renewed.refused:  # then the request can only become stale by an end of the run that asked it
        await _cancel(rig, case)
        renewed = await rig.ask_anew(case, 99_999)
    newer = await rig.interrupt_of(case.thread)
    stale = await rig.run(case, "reviewer", command=case.answered(APPROVE))
    paid, still = await rig.paid(case), await rig.interrupt_of(case.thread)
    holds = stale.refused and paid == NOTHING and still == newer != {} and newer["id"] != case.interrupt["id"]
    return held_if(holds, f"the stale answer: {stale}; {_paid(paid)}")


@ATTACKS.row(
    "2",
    "plain resume=approve after someone sent new input of 99,999",
    wanted="one of the two is refused; only what was shown may be paid",
)
async def other_input(rig: Rig) -> Finding:
    case = await rig.parked()
    renewed = await rig.ask_anew(case, 99_999)
    approved = await rig.resume(case, APPROVE)
    return await _only_what_was_shown(rig, case, f"new input: {renewed}; approve: {approved}", renewed, approved)


@ATTACKS.row(
    "3",
    "update_state({amount: 88,888}), then plain approve",
    wanted="one of the two is refused; only what was shown may be paid",
)
async def other_state(rig: Rig) -> Finding:
    async def attack(who: Who) -> Finding:
        case = await rig.parked()
        updated = await rig.update(case, await _forged(rig, case, 88_888), who)
        approved = await rig.resume(case, APPROVE)
        return await _only_what_was_shown(rig, case, f"update: {updated}; approve: {approved}", updated, approved)

    return await _by_everybody(rig, attack)


@ATTACKS.row("4", "resume and update {amount: 77,777} in one command", wanted="refused; nothing is paid")
async def resume_and_update(rig: Rig) -> Finding:
    async def attack(who: Who) -> Finding:
        case = await rig.parked()
        command = {"resume": APPROVE, "update": await _forged(rig, case, 77_777)}
        return await _nothing_moved(rig, case, await rig.run(case, who, command=command))

    return await _by_everybody(rig, attack)


@ATTACKS.row("5", "approve again at the old checkpoint_id", wanted="the refund happens once, ever")
async def old_checkpoint(rig: Rig) -> Finding:
    case = await rig.parked()
    state: Any = await rig.client("reviewer").threads.get_state(case.thread)
    old = state["checkpoint"]["checkpoint_id"]
    await rig.resume(case, APPROVE)
    again = await rig.resume(case, APPROVE, checkpoint_id=old)
    replayed = await rig.run(case, "operator", input=None, checkpoint_id=old)
    paid = await rig.paid(case)
    return held_if(paid == RIGHT, f"again: {again}; replayed: {replayed}; {_paid(paid)}")


@ATTACKS.row("6", f"command={{goto: {ACT}}}", wanted="refused; nothing is paid and the request stays open")
async def goto(rig: Rig) -> Finding:
    async def attack(who: Who) -> Finding:
        case = await rig.parked()
        return await _nothing_moved(rig, case, await rig.run(case, who, command={"goto": ACT}))

    return await _by_everybody(rig, attack)


@ATTACKS.row(
    "7",
    f"update_state(as_node={GATE}, decision=approve), then a run with input=None",
    wanted="refused; nothing is paid and the request stays open",
)
async def forged_decision(rig: Rig) -> Finding:
    async def attack(who: Who) -> Finding:
        case = await rig.parked()
        updated = await rig.update(case, {"decision": APPROVE}, who, as_node=GATE)
        went_on = await rig.run(case, who, input=None)
        seen = await _nothing_moved(rig, case, went_on)
        return held_if(seen.standing == "held" and updated.refused, f"update: {updated}; run: {seen.seen}")

    return await _by_everybody(rig, attack)


@ATTACKS.row("9", "a third approve on a finished thread", wanted="refused; nothing more is paid")
async def finished_thread(rig: Rig) -> Finding:
    case = await rig.parked()
    await rig.resume(case, APPROVE)
    answers = [await rig.resume(case, APPROVE) for _ in range(2)]
    paid = await rig.paid(case)
    holds = all(a.refused for a in answers) and paid == RIGHT
    return held_if(holds, f"again: {', '.join(map(str, answers))}; {_paid(paid)}")


@ATTACKS.row("10", 'resume="lol"', wanted="refused; the request stays open")
async def nonsense(rig: Rig) -> Finding:
    case = await rig.parked()
    return await _nothing_moved(rig, case, await rig.resume(case, "lol"))


@ATTACKS.row("11", "status of a run that waits", wanted="interrupted, and it can be filtered by")
async def status(rig: Rig) -> Finding:
    case = await rig.parked()
    runs = [run["status"] for run in await rig.client().runs.list(case.thread)]
    filtered = len(await rig.client().runs.list(case.thread, status="interrupted"))
    holds = runs == ["interrupted"] and filtered == 1
    return held_if(holds, f"status {', '.join(runs)}; {filtered} found by filter")


@ATTACKS.row(
    "13",
    "an edit that names another tool, and one that policy denies",
    wanted="both refused; nothing is paid and the request stays open",
)
async def edits(rig: Rig) -> Finding:
    case = await rig.parked()
    action = case.interrupt["value"]["action_requests"][0]
    other = {"name": action["name"].replace("refund", "transfer"), "args": action["args"]}
    denied = {"name": action["name"], "args": action["args"] | {"amount": 9_999_999}}
    answers = [await rig.resume(case, {"type": "edit", "edited_action": edited}) for edited in (other, denied)]
    seen = await _nothing_moved(rig, case, answers[1])
    return held_if(seen.standing == "held" and answers[0].refused, f"other tool: {answers[0]}; denied: {seen.seen}")


@ATTACKS.row("14", "who started the case approves it", wanted="refused (four eyes); the request stays open")
async def own_case(rig: Rig) -> Finding:
    if rig.keys.caller == rig.keys.reviewer:
        return Finding("not run", "it needs keys of two people: --key and --reviewer-key")
    case = await rig.parked()
    return await _nothing_moved(rig, case, await rig.resume(case, APPROVE, who="caller"))


async def control(rig: Rig) -> tuple[list[Paid], list[Paid]]:
    """What is paid when the reviewer approves, and when they reject."""
    approved, rejected = await asyncio.gather(rig.parked(), rig.parked())
    await rig.run(approved, "reviewer", command=approved.answered(APPROVE))
    await rig.run(rejected, "reviewer", command=rejected.answered(REJECT))
    return await rig.paid(approved), await rig.paid(rejected)


async def _by_everybody(rig: Rig, attack: Callable[[Who], Awaitable[Finding]]) -> Finding:
    """Held when nobody gets through; otherwise the first who does."""
    by_seen: dict[Finding, list[Who]] = {}
    for who in rig.everybody:
        by_seen.setdefault(await attack(who), []).append(who)
    if worst := next((finding for finding in by_seen if finding.standing != "held"), None):
        return worst
    if len(by_seen) == 1:
        return next(iter(by_seen))
    return Finding("held", " | ".join(f"{', '.join(people)}: {finding.seen}" for finding, people in by_seen.items()))


async def _forged(rig: Rig, case: Case, amount: int) -> dict[str, Any]:
    """The amount changed wherever the state holds it."""
    state: Any = await rig.client().threads.get_state(case.thread)
    proposal = state["values"].get("proposal")
    forged: dict[str, Any] = {"amount": amount}
    if isinstance(proposal, dict):
        forged["proposal"] = proposal | {"args": dict(proposal.get("args") or {}) | {"amount": amount}}
    return forged


async def _only_what_was_shown(rig: Rig, case: Case, said: str, *answers: Answer) -> Finding:
    paid = await rig.paid(case)
    holds = paid in (NOTHING, RIGHT) and any(answer.refused for answer in answers)
    return held_if(holds, f"{said}; {_paid(paid)}")


async def _nothing_moved(rig: Rig, case: Case, answer: Answer) -> Finding:
    """Refused, nothing paid, and the reviewer's request is open as before."""
    paid, waits = await rig.paid(case), await rig.waits(case)
    seen = f"{answer}; {_paid(paid)}{'' if waits else '; the request is gone'}"
    return held_if(answer.refused and paid == NOTHING and waits, seen)


async def _cancel(rig: Rig, case: Case) -> None:
    for run in await rig.client("operator").runs.list(case.thread, limit=1):
        await rig.client("operator").runs.cancel(case.thread, run["run_id"], wait=True)


def _paid(paid: list[Paid]) -> str:
    if not paid:
        return "nothing paid"
    return "paid " + " and ".join(f"{amount:,}{'' if name == 'refund' else f' by {name}'}" for name, amount in paid)
