"""Ways to carry the same workflows: in process with LangGraph's own saver, or over a server's LangGraph API."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command
from psycopg_pool import AsyncConnectionPool

from benchmarks import ungoverned

TEXT = {"text": "three blind mice, see how they run"}
SUMMARY = "7 words, 27 letters"
TOPIC = {"topic": "tea"}
ANSWER = {"text": "with milk"}
SAID = {"messages": [{"role": "user", "content": "three blind mice"}]}
INPUTS: Mapping[str, Mapping[str, Any]] = {"three_stages": TEXT, "talk": SAID}


class Way(Protocol):
    """How a workflow is carried; each call raises AssertionError when something else came out than was expected."""

    name: str

    async def run(self) -> None:
        """Three stages, from nothing to their result."""
        ...

    async def ask_and_answer(self) -> None:
        """A new thread, a question, its answer, the end."""
        ...

    async def first_event_ms(self) -> float:
        """How long until the first state of a streamed run arrived; returns after the last one."""
        ...

    async def new_thread(self) -> str: ...

    async def run_on(self, thread: str, workflow: str) -> None:
        """One more run on a thread."""
        ...


@dataclass
class Floor:
    """`graph.ainvoke` with a stock saver of its own for each run over one pool: a shared saver serialises callers."""

    pool: AsyncConnectionPool[Any]
    name: str = "floor"

    async def run(self) -> None:
        _require(await self._graph("three_stages").ainvoke(TEXT, _config(await self.new_thread()), durability="sync"))

    async def ask_and_answer(self) -> None:
        config = _config(await self.new_thread())
        asked = await self._graph("question").ainvoke(TOPIC, config, durability="sync")
        resume = {asked["__interrupt__"][0].id: ANSWER}
        told = await self._graph("question").ainvoke(Command(resume=resume), config, durability="sync")
        _require_answer(told)

    async def first_event_ms(self) -> float:
        began, first = time.perf_counter(), 0.0
        config = _config(await self.new_thread())
        stream = self._graph("three_stages").astream(TEXT, config, stream_mode="values", durability="sync")
        async for _ in stream:
            first = first or time.perf_counter()
        return (first - began) * 1000

    async def new_thread(self) -> str:
        return str(uuid.uuid4())

    async def run_on(self, thread: str, workflow: str) -> None:
        await self._graph(workflow).ainvoke(INPUTS[workflow], _config(thread), durability="sync")

    def _graph(self, workflow: str) -> CompiledStateGraph[Any, Any, Any, Any]:
        graph: CompiledStateGraph[Any, Any, Any, Any] = getattr(ungoverned, workflow)
        return graph.copy({"checkpointer": AsyncPostgresSaver(self.pool)})


@dataclass
class OverHttp:
    """A server that speaks the LangGraph API."""

    name: str
    http: httpx.AsyncClient
    stateless: bool = True
    """Whether it takes runs without a thread; else a thread is made first."""

    async def run(self) -> None:
        _require(await self._post(f"{await self._base()}/runs/wait", assistant_id="three_stages", input=TEXT))

    async def ask_and_answer(self) -> None:
        path = f"/threads/{await self.new_thread()}/runs/wait"
        asked = await self._post(path, assistant_id="question", input=TOPIC)
        resume = {asked["__interrupt__"][0]["id"]: ANSWER}
        _require_answer(await self._post(path, assistant_id="question", command={"resume": resume}))

    async def first_event_ms(self) -> float:
        began, first = time.perf_counter(), 0.0
        body = {"assistant_id": "three_stages", "input": TEXT, "stream_mode": ["values"]}
        async with self.http.stream("POST", f"{await self._base()}/runs/stream", json=body) as reply:
            async for line in reply.aiter_lines():
                if line.strip() == "event: values":
                    first = first or time.perf_counter()
        return (first - began) * 1000

    async def new_thread(self) -> str:
        return str((await self._post("/threads"))["thread_id"])

    async def run_on(self, thread: str, workflow: str) -> None:
        await self._post(f"/threads/{thread}/runs/wait", assistant_id=workflow, input=INPUTS[workflow])

    async def _base(self) -> str:
        return "" if self.stateless else f"/threads/{await self.new_thread()}"

    async def _post(self, path: str, **body: Any) -> Any:
        reply = await self.http.post(path, json=body)
        if not reply.is_success:
            raise AssertionError(f"{self.name}: {path} was answered {reply.status_code}: {reply.text[:500]}")
        return reply.json()


async def takes_stateless_runs(http: httpx.AsyncClient) -> bool:
    """Whether the server's own description lists `POST /runs/wait`."""
    return "/runs/wait" in (await http.get("/openapi.json")).json()["paths"]


def _config(thread: str) -> Any:
    return {"configurable": {"thread_id": thread}}


def _require(result: Any) -> None:
    if result.get("summary") != SUMMARY:
        raise AssertionError(f"the run came to something else: {result}")


def _require_answer(result: Any) -> None:
    if result.get("summary") != "tea: with milk":
        raise AssertionError(f"the answer came to something else: {result}")
