"""An engine in the test's own process, over a database and worlds of its own: nothing happens but what tests drive."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NotRequired

import httpx
from langgraph.graph import END, START, StateGraph
from pydantic import JsonValue
from typing_extensions import TypedDict

from contracts.approval import Decision, Draft, Proposal
from contracts.context import Context
from contracts.policy import Budget, Policy, Queue, above, allow, require_approval
from contracts.tool import AnyTool
from engine.access.keys import Principal
from engine.approvals.model import ApprovalRequest
from engine.approvals.requests import asked_of_thread
from engine.audit import audit
from engine.catalog.catalog import Catalog
from engine.catalog.workflow import Workflow, stages_of
from engine.runs.model import NewRun, NewThread, Run
from engine.runs.runs import get_run
from engine.runs.threads import create_thread, get_thread
from engine.store.database import Connection, Database, connected
from engine.wiring import Engine, open_engine
from engine.worker.dispatchers import InlineDispatcher
from evals.worlds.faults import Fault
from evals.worlds.newcomer import open_account
from evals.worlds.sandbox import Worlds, effects_of, open_worlds
from nodes.recovery import Problem
from tests.cases import GRAPH, TWICE
from tests.conftest import Site, fresh_database
from tools import billing

TENANT = "default"
FIN = Principal("key:fin", frozenset({"reviewer"}), frozenset({"finance"}), TENANT)
_ADA = """INSERT INTO api_key (id, name, secret_sha256, roles) SELECT 'bench', 'ada', decode(repeat('00', 32), 'hex'),
          '{caller}' WHERE EXISTS (SELECT FROM api_key) ON CONFLICT DO NOTHING"""
"""Who asks at a bench has rights there, too, where a test has made keys: nobody else's run is carried out."""
APPROVE: JsonValue = {"type": "approve"}


@dataclass(frozen=True)
class Bench:
    """An engine that offers `workflow`, its wake-ups and its worlds."""

    engine: Engine
    wake_ups: InlineDispatcher
    worlds: Worlds
    workflow: str = GRAPH

    def offering(self, workflow: Workflow) -> "Bench":
        """The same engine with this workflow and no other."""
        engine, catalog = self.engine, Catalog([workflow])
        states = replace(engine.states, catalog=catalog)
        migrator = replace(engine.migrator, catalog=catalog)
        intake = replace(engine.intake, catalog=catalog, states=states, migrator=migrator)
        answers = replace(engine.answers, catalog=catalog, states=states, migrator=migrator)
        carrier = replace(engine.carrier, catalog=catalog, migrator=migrator, intake=intake)
        rooms: dict[str, Any] = {"intake": intake, "answers": answers, "carrier": carrier}
        ours = replace(engine, catalog=catalog, states=states, migrator=migrator, **rooms)
        return replace(self, engine=ours, workflow=workflow.name)

    def new_account(self, *, amount_cents: int = 25_000) -> str:
        """An account with a duplicate of this amount."""
        account_id = f"AC-{uuid.uuid4().int % 90_000_000 + 10_000_000}"
        open_account(self.worlds.store, account_id, amount_cents=amount_cents)
        return account_id

    async def accept(self, value: Mapping[str, JsonValue], *, thread_id: str = "", **options: Any) -> Run:
        """A run with this input, on a thread of its own unless one is named; `options` are those of `NewRun`."""
        if not thread_id:
            async with self.engine.database.transaction() as conn:
                thread_id = str((await create_thread(conn, NewThread(str(uuid.uuid4()), TENANT)))["id"])
        await self.rows(_ADA)
        new = NewRun(thread_id, TENANT, self.workflow, "key:ada", dict(value), **options)
        return await self.engine.intake.accept(new)

    async def open_case(self, *, amount_cents: int = 25_000) -> Run:
        """A dispute that is accepted and not begun."""
        return await self.accept({"complaint": TWICE, "account_id": self.new_account(amount_cents=amount_cents)})

    async def parked_case(self) -> tuple[Run, ApprovalRequest]:
        """A dispute that waits for finance."""
        run = await self.open_case()
        await self.go_on()
        return run, await self.request_of(run)

    async def go_on(self) -> None:
        """Advance until nothing waits for a worker."""
        await self.wake_ups.drain(self.engine.carrier)

    async def played(self, value: Mapping[str, JsonValue]) -> Run:
        """A run with this input after everything that can happen has happened."""
        run = await self.accept(value)
        await self.go_on()
        return await self.again(run)

    async def approve(self, run: Run, answer: JsonValue = APPROVE, *, by: Principal = FIN) -> Run:
        """The leg that follows finance's answer, or somebody else's, accepted and not begun."""
        request = await self.request_of(run)
        return await self.engine.answers.resume(run.thread_id, {str(request.interrupt_id): answer}, by)

    async def again(self, run: Run) -> Run:
        """The run as it is stored now."""
        async with self.engine.database.transaction() as conn:
            return await get_run(conn, run.id, tenant=TENANT)

    async def state(self, run: Run) -> dict[str, Any]:
        """The values of the newest checkpoint of the run's thread."""
        async with self.engine.database.transaction() as conn:
            thread = await get_thread(conn, run.thread_id, tenant=TENANT)
        snapshot = await self.engine.states.latest(thread)
        return dict(snapshot.values) if snapshot else {}

    async def request_of(self, run: Run) -> ApprovalRequest:
        """The newest request that the run's thread has put to people."""
        async with self.engine.database.transaction() as conn:
            return (await asked_of_thread(conn, run.thread_id))[-1]

    async def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """What a statement of the owner's answers: tests look into everything, and change what nobody else may."""
        async with self.engine.database.transaction() as conn:
            await conn.execute("SET LOCAL ROLE NONE")
            cursor = await conn.execute(query, values)  # type: ignore[arg-type]  # text of a test
            return await cursor.fetchall() if cursor.description else []

    async def until(self, query: str) -> None:
        """Until `query` finds a row."""
        for _ in range(1500):
            if await self.rows(query):
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"nothing was found within 30 s by: {query}")

    async def events(self, run: Run) -> list[tuple[str, dict[str, Any]]]:
        """Kind and data of the audit records of the run's case."""
        async with self.engine.database.transaction() as conn:
            records = [link.record for link in await audit.chain(conn, audit.stream_of(run.thread_id))]
        return [(record["event"], dict(record["data"])) for record in records]

    def refunds(self, account_id: str) -> list[int]:
        return [int(str(r["amount_cents"])) for r in effects_of(self.worlds).refunds if r["account_id"] == account_id]


@asynccontextmanager
async def as_owner(database: Database) -> AsyncIterator[Connection]:
    """A connection of who owns the schema, whom neither grants nor policies bind."""
    async with connected(database.dsn) as conn:
        await conn.execute(f"SET gatehouse.tenant = '{TENANT}'")
        yield conn


@asynccontextmanager
async def bench_on(
    site: Site, faults: Mapping[str, Fault] | None = None, *, shared: bool = False, **settings: Any
) -> AsyncIterator[Bench]:
    """A bench at a site. `shared`: workers there are woken instead of this bench, and its worlds are theirs."""
    wake_ups, worlds = InlineDispatcher(), open_worlds(site.worlds if shared else None, faults)
    dispatcher = None if shared else wake_ups
    async with open_engine(site.settings(**settings), notify=lambda _: None, dispatcher=dispatcher) as engine:
        for name, app in worlds.items():
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            engine.carrier.systems.use(name, httpx.AsyncClient(transport=transport, base_url=f"http://{name}"))
        yield Bench(engine, wake_ups, worlds)
    worlds.close()


@asynccontextmanager
async def fresh_bench(
    postgres: str, folder: Path, faults: Mapping[str, Fault] | None = None, **settings: Any
) -> AsyncIterator[Bench]:
    """A bench on a database of its own; `registry=TRIALS` offers the trial workflows."""
    with fresh_database(postgres) as dsn:
        async with bench_on(Site(dsn, folder / "bench", folder / "unused"), faults, **settings) as bench:
            yield bench


class Pay(TypedDict):
    """State of the small workflows that tests make."""

    account_id: str
    request_id: NotRequired[str]
    proposal: NotRequired[Proposal | None]
    decision: NotRequired[Decision | None]
    receipt: NotRequired[dict[str, JsonValue] | None]
    receipts: NotRequired[list[JsonValue]]
    problem: NotRequired[Problem | None]


POLICY = Policy(
    owner="tests",
    purpose="Try what must not work.",
    tools=(billing.list_charges, billing.issue_refund),
    rules=(
        require_approval(
            "over-limit",
            billing.issue_refund.name,
            above("amount_cents", 10_000),
            role="finance",
            within_s=3600,
            why="More than may be paid without a person.",
        ),
        allow("small", billing.issue_refund.name, why="Small."),
    ),
    budget=Budget(tool_calls=20, model_calls=5, seconds=60),
    queue=Queue("tests", target_s=600),
    roles=("finance",),
)


def refund_args(account_id: str, *, amount_cents: int) -> dict[str, JsonValue]:
    """A refund of the second of the two payments of an account of `new_account`."""
    number = account_id.removeprefix("AC-")
    return {
        "account_id": account_id,
        "charge_id": f"CH-{number}-02",
        "invoice_id": f"IN-202610-{number}",
        "amount_cents": amount_cents,
        "currency": "EUR",
        "charge_version": 1,
    }


def refund_draft(state: Pay, *, amount_cents: int = 25_000) -> Draft:
    return {
        "args": refund_args(state["account_id"], amount_cents=amount_cents),
        "facts": {},
        "summary": "Pay back.",
        "reason": "",
        "evidence": [],
        "diff": [],
    }


def in_line(*stages: tuple[str, Any], policy: Policy = POLICY, **parts: Any) -> Workflow:
    """A workflow of these stages one after another; a stage is its name and the keywords of `add_node`."""
    flow = StateGraph(Pay, context_schema=Context)
    names = [name for name, _ in stages]
    for name, keywords in stages:
        flow.add_node(name, **keywords)
    for before, after in zip([START, *names], [*names, END], strict=True):
        flow.add_edge(before, after)
    graph = flow.compile(name="trial")
    made: dict[str, Any] = {"prompts": {}, "stand_ins": {}, "version": "v1", "manifest": {}} | parts
    return Workflow(name="trial", graph=graph, policy=policy, stages=stages_of(graph), **made)


def stage(action: Any, kind: str = "code", *tools: AnyTool) -> dict[str, Any]:
    """Keywords of `add_node` for a stage that says this of itself."""
    return {"action": action, "metadata": {"kind": kind, "tools": [tool.name for tool in tools]}}


def refund_requests(bench: Bench, account_id: str) -> int:
    """How often billing was asked to pay."""
    return sum(
        r.operation == billing.issue_refund.name and r.body["account_id"] == account_id
        for r in effects_of(bench.worlds).requests
    )


async def refused(bench: Bench, run: Run) -> str:
    """The code with which a run failed, after making sure that the refusal is on record."""
    failed = await bench.again(run)
    code = str((failed.error or {})["error"])
    assert (failed.status, failed.outcome) == ("error", "failed_safe")
    assert code in [data.get("code") for event, data in await bench.events(run) if event == "call.refused"]
    return code
