"""The airline's gold actions once more, this time through graph, gateway, policy and gates."""

from dataclasses import replace
from pathlib import Path

from engine.store.scope import nobody
from engine.wiring import Engine
from evals.tau_bench.airline import AirlineTask
from evals.tau_bench.guarded import before_it_is_played, with_guards
from evals.tau_bench.recorded_runs import Step
from evals.tau_bench.replay import Replayed
from evals.tau_bench.script_of_run import Script

AGAINST_ITS_OWN_RULES = {
    10: "cancels an uninsured reservation in economy two weeks after it was booked",
    23: "takes 100 dollars for two bags that are free to a gold member in economy",
}
"""Tasks whose gold actions the airline's own policy text forbids: ours follows the text."""
_PERSON = "transfer_to_human_agents"


async def through_the_workflow(engine: Engine, folder: Path, task: AirlineTask, by_tools: Replayed) -> Replayed:
    """What came of the actions by our tools, with what comes of them when our workflow decides.

    The customer confirms and reviewers approve; reads that our workflow wants first are put in.
    """
    pairs = zip(task.actions, task.observations, strict=True)
    steps = tuple(Step(use=name, args=args, observed=observed) for (name, args), observed in pairs)
    script = Script(task.words, steps, task.customer_id, "gold")
    with nobody():
        held = await with_guards(engine, before_it_is_played(script, f"task {task.number}", folder), script)
    same, why = held.digest == task.final_digest, AGAINST_ITS_OWN_RULES.get(task.number, "")
    stopped = tuple(f"{one.asked}: {one.became}" for one in held.changes if one.stopped)
    expected = "handed_off" if _PERSON in [name for name, _ in task.actions] else "completed"
    ended = () if held.seen.outcome == expected else (f"it ended as {held.seen.outcome!r}: {held.why}",)
    return replace(
        by_tools,
        outcome=held.seen.outcome,
        governed=same,
        denied=() if why else stopped,
        against=(f"the gold action {why}",) if why and not same else (),
        approvals=len(held.seen.gates),
        rules=held.seen.gates,
        problems=(*by_tools.problems, *held.seen.off_script, *held.seen.breaches, *ended),
    )
