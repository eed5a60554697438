"""`gatehouse demo loop`: two agents that never come to an end by themselves, and what stops them."""

import asyncio
import logging
import tempfile
import uuid
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel
from rich.markup import escape
from typing_extensions import TypedDict

from commands.sandbox import sandbox_clients
from commands.terminal import explained, note, say, show_json
from contracts.context import Context
from contracts.errors import ToolRefused
from contracts.policy import Budget, Policy, Queue
from engine.catalog.catalog import Catalog
from engine.catalog.prompt import Prompt
from engine.catalog.workflow import Workflow, stages_of
from engine.runs.model import NewRun, NewThread, Run
from engine.runs.runs import get_run
from engine.runs.threads import create_thread
from engine.store.scope import of_tenant
from engine.wiring import Engine
from engine.worker.dispatchers import InlineDispatcher
from evals.opening import open_for_evals
from tools import billing

_TENANT, _NAME = "default", "loop_demo"
_KNOWN, _UNKNOWN = "AC-1001", "AC-9999"


class _State(TypedDict, total=False):
    account_id: str
    rounds: int


class _Thought(BaseModel):
    next: Literal["look_again", "done"]


@dataclass
class Loop:
    """One agent, and what became of it."""

    what: str
    account_id: str
    expected: str
    rounds: list[str] = field(default_factory=list)
    outcome: str = ""
    code: str = ""
    summary: str = ""

    @property
    def held(self) -> bool:
        return (self.outcome, self.code) == ("handed_off", self.expected)


@explained
def loop(as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False) -> None:
    """Let two agents go round in circles, with a graph that forgot to count. Exit code 1 if nothing stopped one."""
    loops = [
        Loop("A model that always wants to look again", _KNOWN, "loop_detected"),
        Loop("A call that always fails, made again and again", _UNKNOWN, "repeated_failure"),
    ]
    logging.getLogger("gatehouse").setLevel(logging.CRITICAL)  # each stop is told below
    asyncio.run(_show(loops))
    held = all(each.held for each in loops)
    if as_json:
        show_json({"held": held, "loops": [vars(each) for each in loops]})
    else:
        for each in loops:
            _report(each)
    raise typer.Exit(0 if held else 1)


async def _show(loops: list[Loop]) -> None:
    note("A Postgres of its own starts; the model is a stand-in and the outside systems are sandboxes.")
    with tempfile.TemporaryDirectory(prefix="gatehouse-loop-") as folder:
        async with open_for_evals() as engine:
            for name, client in sandbox_clients(Path(folder) / "worlds.sqlite").items():
                engine.carrier.systems.use(name, client)
            for each in loops:
                with of_tenant(_TENANT):
                    run = await _carried(engine, each)
                error: dict[str, Any] = dict(run.error or {})
                each.outcome, each.code, each.summary = str(run.outcome), str(error["error"]), str(error["message"])


async def _carried(engine: Engine, shown: Loop) -> Run:
    catalog, wake_ups, thread = Catalog([_workflow(shown)]), InlineDispatcher(), str(uuid.uuid4())
    migrator = replace(engine.migrator, catalog=catalog)
    intake = replace(engine.intake, catalog=catalog, migrator=migrator, dispatcher=wake_ups)
    carrier = replace(engine.carrier, catalog=catalog, migrator=migrator, intake=intake, dispatcher=wake_ups)
    sources = replace(carrier.models, routes={}, stand_ins=True)
    async with engine.database.transaction() as conn:
        await create_thread(conn, NewThread(thread, _TENANT))
    run = await intake.accept(NewRun(thread, _TENANT, _NAME, "local", {"account_id": shown.account_id}))
    await wake_ups.drain(replace(carrier, models=sources))
    async with engine.database.reading() as conn:
        return await get_run(conn, run.id, tenant=_TENANT)


def _workflow(shown: Loop) -> Workflow:
    """Think, look, think again: there is no way to the end, and nobody counts."""

    async def think(state: _State, runtime: Runtime[Context]) -> _State:
        await runtime.context.models.ask("think", _Thought, rounds=state.get("rounds", 0))
        return {"rounds": state.get("rounds", 0) + 1}

    async def look(state: _State, runtime: Runtime[Context]) -> _State:
        request = billing.ChargesRequest(account_id=state["account_id"])
        with suppress(ToolRefused):
            await runtime.context.tools.call(billing.list_charges, request)
        shown.rounds.append(f"round {state['rounds']}: thinks, then calls {billing.list_charges.name}")
        return {}

    flow = StateGraph(_State, context_schema=Context)
    flow.add_node("think", think, metadata={"kind": "model", "tools": [], "prompt": "think"})
    flow.add_node("look", look, metadata={"kind": "read", "tools": [billing.list_charges.name]})
    flow.add_edge(START, "think")
    flow.add_edge("think", "look")
    flow.add_edge("look", "think")
    graph = flow.compile(name=_NAME)
    policy = Policy(
        owner="demo",
        purpose="Go round in circles.",
        tools=(billing.list_charges,),
        rules=(),
        budget=Budget(tool_calls=1_000, model_calls=1_000, seconds=60, same_call=100),
        queue=Queue("demo", target_s=600),
    )
    prompts = {"think": Prompt("think", "any", 50, "Say whether to look again.")}
    stand_ins = {"think": lambda _: {"next": "look_again"}}
    return Workflow(_NAME, graph, policy, prompts, stand_ins, stages_of(graph), "demo", {})  # type: ignore[arg-type]


def _report(shown: Loop) -> None:
    say(f"\n[bold]{shown.what}[/bold]")
    for line in shown.rounds:
        say(f"  [dim]{escape(line)}[/dim]")
    colour = "green" if shown.held else "bold red"
    say(f"  [{colour}]{shown.outcome}: {shown.code}[/{colour}]")
    say(f"  {escape(shown.summary)}")
