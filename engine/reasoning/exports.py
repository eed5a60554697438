"""Sends what was traced of a run elsewhere once the run has ended or waits: beside runs, and never in their way."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from engine.audit import audit
from engine.reasoning.calls import add_calls
from engine.reasoning.pages import Traced, entries_of
from engine.reasoning.spans import Span, spans_of
from engine.store.database import Database
from engine.store.scope import of_tenant
from engine.traces.metrics import TRACE_EXPORTS

_MOST_WAITING = 1_000
CLOSE_S = 5.0
"""How long what waits is still sent when the process ends."""


class Sink(Protocol):
    """Where traces go."""

    name: str

    def wants(self, of: Traced) -> bool:
        """One decision for all runs of a case."""
        ...

    def send(self, of: Traced, spans: Sequence[Span]) -> bool:
        """Send the spans of one run, those above them first; False where they were not taken. May block."""
        ...

    def close(self, timeout_s: float) -> None:
        """Send what is held. May block for so long."""
        ...


@dataclass
class Exports:
    """Runs wait here to be sent, one after another; when too many do, later ones are not sent, and counted."""

    database: Database
    may: Callable[[Traced, str], bool]
    """Whether what was traced may go to the sink of this name at all."""
    sinks: Sequence[Sink] = ()
    close_s: float = CLOSE_S
    _waiting: asyncio.Queue[Traced] = field(default_factory=lambda: asyncio.Queue(_MOST_WAITING))
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, thread_name_prefix="exports"))
    _task: asyncio.Task[None] | None = None

    def ended(self, of: Traced) -> None:
        """A run has ended or waits; returns at once."""
        wanted = self._wanting(of)
        if not wanted:
            return
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="exports of traces")
        if self._waiting.full():
            for sink in wanted:
                TRACE_EXPORTS.labels(sink.name, "dropped").inc()
            return
        self._waiting.put_nowait(of)

    async def close(self) -> None:
        """Send what waits for at most `close_s` seconds; the rest is given up."""
        if self._task:
            sent = asyncio.create_task(self._waiting.join())
            await asyncio.wait({sent}, timeout=self.close_s)
            await _ended(sent, self._task)
        closing = [self._in_thread(sink.close, self.close_s) for sink in self.sinks]
        if closing:
            await asyncio.wait(closing, timeout=self.close_s + 1)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        while True:
            of = await self._waiting.get()
            # Whatever fails is counted: it is a copy, and the next run is sent all the same.
            [failed] = await asyncio.gather(self._send(of), return_exceptions=True)
            if failed:
                TRACE_EXPORTS.labels("all", "failed").inc()
            self._waiting.task_done()

    async def _send(self, of: Traced) -> None:
        with of_tenant(of.tenant):
            async with self.database.reading() as conn:
                entries = await entries_of(conn, of.thread_id, of.case_id)
                records = [link.record for link in await audit.chain(conn, of.stream)]
        spans = spans_of(of, add_calls(entries, records))
        wanted = self._wanting(of)
        done = await asyncio.gather(*(self._in_thread(s.send, of, spans) for s in wanted), return_exceptions=True)
        for sink, taken in zip(wanted, done, strict=True):
            TRACE_EXPORTS.labels(sink.name, "ok" if taken is True else "failed").inc()

    def _wanting(self, of: Traced) -> list[Sink]:
        return [sink for sink in self.sinks if self.may(of, sink.name) and sink.wants(of)]

    def _in_thread(self, do: object, *given: object) -> "asyncio.Future[object]":
        return asyncio.get_running_loop().run_in_executor(self._threads, do, *given)  # type: ignore[arg-type]


async def _ended(*tasks: "asyncio.Task[object] | asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
