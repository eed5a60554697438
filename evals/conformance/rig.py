"""What attacks are made with: clients of the server for each person, cases that wait at the gate, and the count."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import httpx
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from contracts.errors import ConfigurationError, ServerUnreachable
from evals.conformance.payments import Paid, Payments

GRAPH = "conformance"
SHOWN = 250
"""The amount that the reviewer is shown, and that alone may be paid."""
APPROVE = {"type": "approve"}
REJECT = {"type": "reject"}

Who = Literal["caller", "reviewer", "operator"]
_AT_WORK = ("pending", "running")
_TIME_S = 60
_LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Keys:
    """An API key for each person; servers without authentication take none, and all are one then."""

    caller: str = ""
    reviewer: str = ""
    operator: str = ""


@dataclass(frozen=True)
class Case:
    """A case that waits at the gate."""

    thread: str
    name: str
    interrupt: dict[str, Any]

    def answered(self, answer: object) -> dict[str, Any]:
        """The command that answers its interrupt by id."""
        return {"resume": {self.interrupt["id"]: answer}}


@dataclass(frozen=True)
class Answer:
    """What a call was answered with."""

    status: int
    code: str = ""
    """The problem's code, or the error that ended the run."""
    value: Any = None

    @property
    def refused(self) -> bool:
        """Whether the caller was told that it was not done: 4xx, or a run that ended in an error."""
        return 400 <= self.status < 500 or (self.status < 300 and bool(self.code))

    def __str__(self) -> str:
        return f"{self.status} {self.code}".strip()


class Rig:
    """The server under attack. Calls of one person go to one of its addresses, or to the one that is asked for."""

    def __init__(self, urls: Sequence[str], keys: Keys, payments: Payments, *, races: int = 60) -> None:
        self.urls, self.keys, self.payments, self.races = list(urls), keys, payments, races
        self.change_policy: Callable[[int], Awaitable[None]] | None = None
        """Has the server pay larger amounts without a person; None where nobody here can."""
        self.threads: list[str] = []
        """Those that were made here."""
        self.counted: dict[str, list[Paid]] = {}
        """By case, what was paid when its row was judged."""
        self._clients: dict[tuple[str, str], LangGraphClient] = {}

    def client(self, who: Who = "caller", server: int = 0) -> LangGraphClient:
        url, key = self.urls[server % len(self.urls)], getattr(self.keys, who)
        if (url, key) not in self._clients:
            self._clients[url, key] = get_client(url=url, api_key=key or None, timeout=_TIME_S)
        return self._clients[url, key]

    @property
    def everybody(self) -> list[Who]:
        """One of those who share a key."""
        people: tuple[Who, ...] = ("operator", "reviewer", "caller")
        return list({getattr(self.keys, who): who for who in people}.values())[::-1]

    async def close(self) -> None:
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))
        self._clients.clear()

    async def new_thread(self) -> str:
        thread = await self.client().threads.create(metadata={"made_by": "gatehouse conform"})
        self.threads.append(thread["thread_id"])
        return self.threads[-1]

    async def tidy(self) -> int:
        """End and delete what was made here, as far as the server lets the operator; returns how many threads stay."""
        gone = [await self._forget(thread) for thread in self.threads]
        return gone.count(False)

    async def _forget(self, thread: str) -> bool:
        client = self.client("operator")
        for run in await client.runs.list(thread):
            if run["status"] in (*_AT_WORK, "interrupted"):
                await answer_of(client.runs.cancel(thread, run["run_id"], wait=True))
        return not (await answer_of(client.threads.delete(thread))).refused

    async def parked(self, amount: int = SHOWN) -> Case:
        """A new case that waits for the reviewer. Raises `ConfigurationError` when the server lets it not wait."""
        thread, name = await self.new_thread(), f"case-{secrets.token_hex(6)}"
        answer = await self.ask_anew(Case(thread, name, {}), amount)
        case = Case(thread, name, await self.interrupt_of(thread))
        if not case.interrupt:
            raise ConfigurationError(
                f"A refund of {amount} does not wait at a gate of graph {GRAPH!r}: it was answered {answer}.",
                hint="Serve the graph that `gatehouse conform graph` writes, unchanged.",
            )
        return case

    async def interrupt_of(self, thread: str) -> dict[str, Any]:
        """The interrupt for which a thread waits, `{}` if none."""
        state: Any = await self.client().threads.get_state(thread)
        found = [i for task in state.get("tasks") or () for i in task.get("interrupts") or ()]
        return dict(found[0]) if found and state.get("next") else {}

    async def run(self, case: Case, who: Who = "caller", server: int = 0, **what: Any) -> Answer:
        """A run on the case's thread, until it has ended or waits."""
        client = self.client(who, server)
        return await answer_of(client.runs.wait(case.thread, GRAPH, raise_error=False, **what))

    async def ask_anew(self, case: Case, amount: int, who: Who = "caller") -> Answer:
        """New input for the same case."""
        return await self.run(case, who, input={"case": case.name, "amount": amount})

    async def resume(self, case: Case, answer: object, who: Who = "reviewer", **more: Any) -> Answer:
        """LangGraph's plain resume, which names no interrupt."""
        return await self.run(case, who, command={"resume": answer}, **more)

    async def update(self, case: Case, values: object, who: Who, as_node: str | None = None) -> Answer:
        return await answer_of(self.client(who).threads.update_state(case.thread, values, as_node=as_node))  # type: ignore[arg-type]  # what the server makes of it is what is asked

    async def waits(self, case: Case) -> bool:
        """Whether the case still waits for what the reviewer was shown."""
        return bool((await self.interrupt_of(case.thread)).get("id") == case.interrupt["id"])

    async def paid(self, case: Case) -> list[Paid]:
        """What the case was paid, once nothing is at work on it."""
        client, until = self.client(), time.monotonic() + _TIME_S
        while any(run["status"] in _AT_WORK for run in await client.runs.list(case.thread)):
            if time.monotonic() > until:
                raise ServerUnreachable(f"Runs of thread {case.thread} did not end within {_TIME_S} s.")
            await asyncio.sleep(_LOOK_EVERY_S)
        self.counted[case.name] = self.payments.paid(case.name)
        return self.counted[case.name]


async def answer_of(call: Awaitable[Any]) -> Answer:
    """What a call of the SDK came to, errors included. Raises `ServerUnreachable`."""
    try:
        value = await call
    except httpx.HTTPStatusError as error:
        return Answer(error.response.status_code, _code(error.response))
    except httpx.TransportError as error:
        raise ServerUnreachable(f"The server did not answer: {type(error).__name__} {error}.") from error
    failed = value.get("__error__") if isinstance(value, dict) else None
    return Answer(200, f"run ended in {failed['error']}" if failed else "", value)


def _code(response: httpx.Response) -> str:
    """A problem's code, or whatever short word the server gives."""
    try:
        body = response.json()
    except ValueError:
        return ""
    said = body.get("code") or body.get("error") or body.get("detail") if isinstance(body, dict) else ""
    return said[:60] if isinstance(said, str) else ""
