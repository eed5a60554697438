"""What the engine knows of a call and no draft, model or edited state can say: facts of the host."""

from collections.abc import Sequence

from contracts.approval import JsonObject
from contracts.guard import Finished
from contracts.policy import SEEN, Evidence
from engine.catalog.workflow import Workflow
from engine.gateway import ledger
from engine.gateway.guarding import Looked, look_at
from engine.limits.facts import spent_facts
from engine.policies.kinds import MODE
from engine.policies.modes import mode_of
from engine.runs.model import Run
from engine.store.database import Connection


async def host_facts(
    conn: Connection, run: Run, workflow: Workflow, tool: str, args: JsonObject, *, found: Looked | None = None
) -> JsonObject:
    """Facts of the host for calling `tool` with `args`; policy reads them over everything that anybody else states.

    The workflow's mode; what the guards find, unless they were asked before and that is `found`; what the case's own
    calls show where the policy declares evidence for the tool; and what is spent, calls under way included, where a
    cap is set.
    """
    known: JsonObject = {MODE: await mode_of(conn, workflow.name, tenant=run.tenant)}
    found = found or await look_at(conn, run, workflow, workflow.tool(tool), args)
    evidence = workflow.policy.evidence.get(tool)
    shown = seen(evidence, args, await ledger.finished_calls(conn, run)) if evidence else {}
    budget, tenant = workflow.policy.budget, run.tenant
    spent = await spent_facts(conn, budget, run.workflow, tool, run.case_id, tenant=tenant)
    return known | found.facts | shown | spent


def seen(evidence: Evidence, args: JsonObject, history: Sequence[Finished]) -> JsonObject:
    """What the calls show, under names of its own. What cannot be told from them is missing."""
    try:
        found = evidence(args, history)
    except (KeyError, TypeError, ValueError):
        return {}
    return {f"{SEEN}{name}": fact for name, fact in found.items()}
