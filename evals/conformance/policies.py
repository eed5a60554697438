"""The row that needs the server restarted under another policy while a request waits."""

from evals.conformance.attacks import NOTHING, RIGHT
from evals.conformance.finding import Finding, Table, held_if
from evals.conformance.rig import REJECT, SHOWN, Case, Rig

POLICIES = Table()


@POLICIES.row("12", "policy threshold raised while the request waits, then reject", wanted="nothing is paid")
async def raised_threshold(rig: Rig) -> Finding:
    if rig.change_policy is None:
        return Finding("not run", "it needs the server restarted under another policy: run it without --url")
    case = await rig.parked()
    await rig.change_policy(SHOWN)
    in_force = await _passes_now(rig)
    rejected = await rig.run(case, "reviewer", command=case.answered(REJECT))
    paid, waits = await rig.paid(case), await rig.waits(case)
    seen = f"new cases of {SHOWN} {'need nobody' if in_force else 'still wait'}; reject: {rejected}"
    holds = in_force and not rejected.refused and paid == NOTHING and not waits
    return held_if(holds, f"{seen}; {f'paid {paid}' if paid else 'nothing paid'}")


async def _passes_now(rig: Rig) -> bool:
    """Whether a new case of the same amount is paid without a person: otherwise the row would show nothing."""
    thread = await rig.new_thread()
    fresh = Case(thread, f"fresh-{thread}", {})
    await rig.ask_anew(fresh, SHOWN)
    return await rig.paid(fresh) == RIGHT
