"""What the reasoning trace costs: `python -m benchmarks.traces`. Stages with and without it, and what a run stores."""

import argparse
import asyncio
import json
import random
import statistics
import time
import uuid
from collections.abc import Callable
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from engine.reasoning.branches import Graph, forks_of
from engine.reasoning.following import Follower
from engine.reasoning.pages import Pages, Traced
from engine.store import vault
from engine.store.database import Connection
from engine.store.journal import Note

CODE_US, MODEL_US, RUN_KB = 30, 150, 40
"""The targets."""
_STAGES = 40
_CALLS = 12
_RULES = "You answer customers of a shop. Look up orders before you say anything about them. Never promise. " * 40
_ORDER = {"id": "W2611340", "items": [{"name": "Lamp", "price_cents": 4_999, "sku": "L-77"}] * 6, "status": "pending"}


class _State(TypedDict):
    n: int
    said: list[str]


class _Model(BaseChatModel):
    """Answers at once, and something else each time."""

    @property
    def _llm_type(self) -> str:
        return "instant"

    def _generate(self, messages: list[BaseMessage], *_: Any, **more: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=_reply(len(messages)))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages)


class _Shelf:
    """Takes what would be written, and knows how many bytes of it there are."""

    def __init__(self) -> None:
        self.held: list[Note] = []
        self.bytes = 0

    async def execute(self, _: object, params: dict[str, Any]) -> None:
        self.bytes += len(params["payload"]) + sum(map(len, params["blobs"])) + 32 * len(params["digests"])

    async def write(self) -> None:
        """What the next transaction of the run would do."""
        held, self.held = self.held, []
        for note in held:
            await note(cast(Connection, self))


def _words(many: int) -> str:
    """Text that compresses as letters do, not as a test's."""
    vowels, others = "aeiou", "bcdfglmnprst"
    return " ".join("".join(random.choice(others) + random.choice(vowels) for _ in range(3)) for _ in range(many))


def _reply(nth: int) -> AIMessage:
    order = json.dumps({"move": {"use": "orders.read", "args": {"order_id": f"W{nth}"}, "text": "One moment. " * nth}})
    usage = {"input_tokens": 900, "output_tokens": 40, "total_tokens": 940}
    return AIMessage(order, response_metadata={"finish_reason": "stop"}, usage_metadata=cast(Any, usage))


def _chain(stage: Callable[..., Any]) -> Graph:
    flow = StateGraph(_State)
    for n in range(_STAGES):
        flow.add_node(f"stage_{n}", stage)
        flow.add_edge(START if n == 0 else f"stage_{n - 1}", f"stage_{n}")
    flow.add_edge(f"stage_{_STAGES - 1}", END)
    return flow.compile(name="chain")


async def _count(state: _State) -> dict[str, Any]:
    return {"n": state["n"] + 1}


async def _ask(state: _State) -> dict[str, Any]:
    await _Model().ainvoke([SystemMessage(_RULES), HumanMessage(f"What of order {state['n']}? {_ORDER}")])
    return {"n": state["n"] + 1}


def _talk() -> Graph:
    """A conversation of twelve calls; the whole of it is sent each time, as one message."""

    async def take_turn(state: _State) -> dict[str, Any]:
        spoken = json.dumps({"conversation": state["said"]}, indent=1)
        reply = await _Model().ainvoke([SystemMessage(_RULES), HumanMessage(spoken)])
        found = json.dumps({**_ORDER, "id": f"W{state['n']}", "note": _words(120)})
        return {"n": state["n"] + 1, "said": [*state["said"], str(reply.text), found]}

    def after_turn(state: _State) -> str:
        return "take_turn" if state["n"] < _CALLS else END

    flow = StateGraph(_State)
    flow.add_node("take_turn", take_turn)
    flow.add_edge(START, "take_turn")
    flow.add_conditional_edges("take_turn", after_turn, ["take_turn", END])
    return flow.compile(name="talk")


async def _run(graph: Graph, shelf: _Shelf | None) -> float:
    """Seconds of the processor that one run takes: what else the machine does is no matter."""
    began = time.thread_time()
    callbacks = []
    if shelf:
        of = Traced("bench", str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4()), "bench", "high")
        callbacks = [Follower(Pages(of, shelf.held.append), forks_of(graph))]
    config: Any = {"callbacks": callbacks, "recursion_limit": 2 * _STAGES}
    async for _ in graph.astream(cast(Any, {"n": 0, "said": []}), config, stream_mode=[]):
        if shelf:
            await shelf.write()
    if shelf:
        await shelf.write()
    return time.thread_time() - began


async def _per_stage(graph: Graph, times: int) -> float:
    """Microseconds that the trace adds to a stage, sealing included: both ways in turn, so that both see the same.

    Of each way the quickest tenth counts: whatever else the machine does makes runs longer, and none shorter.
    """
    pairs = [(await _run(graph, None), await _run(graph, _Shelf())) for _ in range(times)]
    without, traced = (statistics.quantiles(seconds, n=10)[0] for seconds in zip(*pairs, strict=True))
    return round((traced - without) / _STAGES * 1e6, 1)


async def _figures(times: int) -> dict[str, float]:
    code, model = _chain(_count), _chain(_ask)
    await _per_stage(code, 5)
    shelf = _Shelf()
    figures = {"code_stage_us": await _per_stage(code, times), "model_stage_us": await _per_stage(model, times)}
    await _run(_talk(), shelf)
    return figures | {"run_of_12_calls_kb": round(shelf.bytes / 1024, 1)}


def main() -> None:
    """Print the figures as JSON. Exit code 1 if one misses its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    vault.install(b"\0" * 32)
    figures = asyncio.run(_figures(parser.parse_args().times))
    targets = {"code_stage_us": CODE_US, "model_stage_us": MODEL_US, "run_of_12_calls_kb": RUN_KB}
    print(json.dumps({"figures": figures, "at_most": targets}, indent=1))
    raise SystemExit(any(figures[name] > most for name, most in targets.items()))


if __name__ == "__main__":
    main()
