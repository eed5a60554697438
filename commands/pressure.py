"""Callers who send ten times what one reviewer decides, until they stop and the queue is empty: counted, and judged."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from contracts.errors import RefusedByServer
from evals.worlds.newcomer import open_account
from evals.worlds.store import Store

_TIMES = 10
_CALLERS = 12
_LOOK_S = 0.1
_DRAIN_S = 60
"""How long what was accepted may take to end once nobody sends any more."""
_COMPLAINT = "I was charged twice for the same thing at Corner Shop."
_LARGE_CENTS = 25_000
"""More than policy pays without a person."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Ground:
    """A server, the queue on it, and the people who use it."""

    url: str
    queue: str
    workflow: str
    worlds: Path
    caller: str
    reviewer: str
    operator: str


@dataclass
class Tally:
    """What came of it."""

    capacity: int = 0
    depth: int = 0
    deepest: int = 0
    accepted: list[str] = field(default_factory=list)
    """Their threads."""
    refused: int = 0
    decided: int = 0
    waits_s: int = 0
    """What the last refusal said about when to come again."""
    throttled: str = ""
    """Why nothing new is taken now."""
    throttled_s: float = 0.0
    lost: int = 0
    """Cases that were accepted and have not ended."""
    sending: bool = True

    @property
    def sent(self) -> int:
        return len(self.accepted) + self.refused

    def failures(self) -> list[str]:
        """What does not hold, in sentences; empty: all does."""
        judged = {
            f"The depth passed the capacity: {self.deepest} of {self.capacity}.": self.deepest > self.capacity,
            "Nobody was ever refused: there was no pressure.": self.refused == 0,
            f"{self.lost} accepted cases have not ended.": self.lost > 0,
            f"The queue still takes nothing ({self.throttled}).": bool(self.throttled),
            f"The queue is not empty: {self.depth}.": self.depth > 0,
        }
        return [sentence for sentence, wrong in judged.items() if wrong]


async def press(ground: Ground, *, seconds: float, watch: Callable[[Tally], None]) -> Tally:
    """Send for so long, decide what was accepted, look all the while; `watch` sees each look."""
    async with httpx.AsyncClient(base_url=ground.url, timeout=30) as http:
        pressure = _Pressure(ground, http, Tally(), watch)
        looking = asyncio.create_task(pressure.look())
        try:
            await pressure.flow(seconds)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        await pressure.look_once()
        await pressure.count_lost()
    return pressure.tally


@dataclass
class _Pressure:
    ground: Ground
    http: httpx.AsyncClient
    tally: Tally
    watch: Callable[[Tally], None]
    accounts: deque[str] = field(default_factory=deque)
    numbers: "count[int]" = field(default_factory=lambda: count(60_000_000))

    async def flow(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        reviewing = asyncio.create_task(self._review())
        await asyncio.gather(*(self._call(until) for _ in range(_CALLERS)))
        self.tally.sending = False
        try:
            await asyncio.wait_for(reviewing, _DRAIN_S)
        except TimeoutError:
            return  # the tally says that the queue is not empty
        for _ in range(round(_DRAIN_S / _LOOK_S)):
            await self.look_once()
            if not self.tally.throttled:
                return
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        while True:
            await self.look_once()
            self.watch(self.tally)
            await asyncio.sleep(_LOOK_S)

    async def look_once(self) -> None:
        tally, queue = self.tally, await self._ask("GET", f"/queues/{self.ground.queue}", self.ground.operator)
        tally.capacity, tally.depth = queue["capacity"] or 0, queue["depth"]
        tally.deepest = max(tally.deepest, tally.depth)
        tally.throttled = queue["throttled"]["cause"] if queue["throttled"] else ""
        tally.throttled_s = queue["throttled_s"]

    async def count_lost(self) -> None:
        ended = await asyncio.gather(*(self._has_ended(thread) for thread in self.tally.accepted))
        self.tally.lost = ended.count(False)

    async def _has_ended(self, thread: str) -> bool:
        runs = await self._ask("GET", f"/threads/{thread}/runs", self.ground.caller)
        return bool(runs) and runs[0]["status"] == "success"

    async def _call(self, until: float) -> None:
        while time.monotonic() < until:
            account = self.accounts.popleft() if self.accounts else self._new_account()
            body = {
                "assistant_id": self.ground.workflow,
                "input": {"complaint": _COMPLAINT, "account_id": account},
                "on_completion": "keep",
            }
            reply = await self.http.post("/runs", json=body, headers={"x-api-key": self.ground.caller})
            if reply.status_code == 429:
                self.accounts.append(account)
                self.tally.refused += 1
                self.tally.waits_s = int(reply.headers["retry-after"])
            else:
                self.tally.accepted.append(_read(reply)["thread_id"])
            await asyncio.sleep(_LOOK_S)

    def _new_account(self) -> str:
        account, store = f"AC-{next(self.numbers)}", Store(self.ground.worlds)
        open_account(store, account, amount_cents=_LARGE_CENTS)
        store.close()
        return account

    async def _review(self) -> None:
        """Decide a tenth of what is sent; and all that is left once nothing is."""
        while self.tally.sending or self.tally.depth:
            busy = self.tally.sending and self.tally.decided * _TIMES >= self.tally.sent
            if busy or not await self._decide_next():
                await asyncio.sleep(_LOOK_S / 5)

    async def _decide_next(self) -> bool:
        found = await self._ask("GET", f"/approvals?queue={self.ground.queue}&limit=1", self.ground.reviewer)
        for request in found:
            decision = {"type": "approve", "action_digest": request["action_digest"]}
            path = f"/approvals/{request['request_id']}/decision"
            await self._ask("POST", path, self.ground.reviewer, decision)
            self.tally.decided += 1
        return bool(found)

    async def _ask(self, method: str, path: str, key: str, body: Any = None) -> Any:
        return _read(await self.http.request(method, path, json=body, headers={"x-api-key": key}))


def _read(reply: httpx.Response) -> Any:
    if not reply.is_success:
        raise RefusedByServer(f"{reply.request.method} {reply.request.url.path} was answered {reply.status_code}.")
    return reply.json()
