"""One call of one tool as a workflow, a system that does what a test says, and a worker that dies in between."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg

from contracts.approval import Draft
from contracts.policy import allow
from contracts.tool import AnyTool
from engine.catalog.workflow import Workflow
from engine.runs.model import Run
from engine.runs.threads import get_thread
from engine.worker.resume import pending_interrupts
from nodes.waiting import approval_gate, proposes
from tests.engines import TENANT, Bench, in_line
from trials.ledger.graph import draft as counting
from trials.terms import terms

ACTS: list[Any] = ["act"]
DIES: list[Any] = [psycopg.OperationalError("the worker is gone")]
ACTS_AND_DIES: list[Any] = [("act", DIES[0])]
FAILS: list[Any] = [httpx.Response(500)]
ACTS_AND_FAILS: list[Any] = [("act", FAILS[0])]
IS_AWAY: list[Any] = [httpx.ConnectError("refused")]
REFUSES: list[Any] = [httpx.Response(422, text="no")]


@dataclass
class System:
    """An outside system that does what the script says, request by request; after that it acts and answers."""

    script: list[Any] = field(default_factory=list)
    """Per request: `act`, a reply or an error instead of acting, or a pair: act and then that."""
    acts: list[str] = field(default_factory=list)
    """Idempotency keys of what it did."""
    asked: list[str] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.method)
        step = self.script.pop(0) if self.script else "act"
        then = step[1] if isinstance(step, tuple) else step
        if request.method == "POST" and (then is not step or step == "act"):
            self.acts.append(request.headers["idempotency-key"])
        if isinstance(then, Exception):
            raise then
        return then if isinstance(then, httpx.Response) else httpx.Response(200, text=json.dumps(self._reply(request)))

    def _reply(self, request: httpx.Request) -> Any:
        if request.method == "GET" and request.url.params["key"] not in self.acts:
            return None
        return {"case": "c", "number": 1, "times": len(self.acts)}

    def join(self, bench: Bench, name: str = "counter") -> None:
        """Be what the bench reaches under this name."""
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.answer), base_url=f"http://{name}")
        bench.engine.carrier.systems.use(name, client)


def carrying_out(tool: AnyTool, effect: Any) -> Workflow:
    """Propose a call, pass its gate and do `effect` (the keywords of `add_node`)."""
    policy = terms("Count once.", tools=(tool,), rules=(allow("any", tool.name, why="It is counted once."),))
    freeze, gate = proposes(tool, _draft), approval_gate(tool)
    return in_line(("freeze", freeze), ("gate", gate), ("act", effect), policy=policy)


def _draft(state: Any) -> Draft:
    return counting({"case": state["account_id"], "number": 1})


async def heir_of(bench: Bench, run: Run) -> Run:
    """The run after its worker died: the lease runs out and another worker goes on."""
    await bench.rows("UPDATE run SET lease_until = now() - interval '1 second' WHERE id = %s", run.id)
    await bench.wake_ups.enqueue_lost(run.id)
    await bench.go_on()
    return await bench.again(run)


async def effect_of(bench: Bench, run: Run) -> dict[str, Any]:
    """The only ledger row of the run's thread."""
    (row,) = await bench.rows("SELECT * FROM effect WHERE thread_id = %s", run.thread_id)
    return row


async def end_of(bench: Bench, run: Run) -> tuple[str, str]:
    """State of the effect, and the code of the problem that the stage left, if any."""
    problem = (await bench.state(run)).get("problem") or {}
    return (await effect_of(bench, run))["state"], problem.get("code", "")


async def shown_by(bench: Bench, run: Run) -> list[dict[str, Any]]:
    """What the run's thread shows to those for whom it waits."""
    async with bench.engine.database.transaction() as conn:
        thread = await get_thread(conn, run.thread_id, tenant=TENANT)
    snapshot = await bench.engine.states.latest(thread)
    return [interrupt.value for interrupt in pending_interrupts(snapshot).values()] if snapshot else []
