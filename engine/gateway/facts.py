"""What the engine knows of a call and no draft, model or edited state can say: facts of the host."""

from collections.abc import Sequence

from contracts.approval import JsonObject
from contracts.policy import SEEN, Evidence, Finished
from engine.catalog.workflow import Workflow
from engine.gateway import ledger
from engine.runs.model import Run
from engine.store.database import Connection


async def host_facts(conn: Connection, run: Run, workflow: Workflow, tool: str, args: JsonObject) -> JsonObject:
    """Facts of the host for calling `tool` with `args`; policy reads them over everything that anybody else states.

    The case's own calls are looked up only where the policy declares evidence for the tool.
    """
    evidence = workflow.policy.evidence.get(tool)
    return seen(evidence, args, await ledger.finished_calls(conn, run)) if evidence else {}


def seen(evidence: Evidence, args: JsonObject, history: Sequence[Finished]) -> JsonObject:
    """What the calls show, under names of its own. What cannot be told from them is missing."""
    try:
        found = evidence(args, history)
    except (KeyError, TypeError, ValueError):
        return {}
    return {f"{SEEN}{name}": fact for name, fact in found.items()}
