"""Retention: what nobody needs any more is forgotten, and never what somebody waits for or what proves something.

The ledger and the approvals stay, and the audit trail until a period of it is closed. Of a thread that waits for
somebody, that is at work or that has an effect of unknown outcome, nothing is touched.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from contracts.errors import GateOpen, ThreadBusy
from contracts.event import Event
from engine.audit import audit
from engine.audit.audit import Subject
from engine.audit.sealing import Sealing
from engine.limits.forgetting import forget_uses, release_reads
from engine.reasoning.retention import TraceTerms, count_old_traces, forget_traces
from engine.runs import aging
from engine.runs.aging import Aged, Page
from engine.runs.threads import mark_deleted
from engine.store.checkpoints import delete_of_thread
from engine.store.database import Connection, Database
from engine.store.retention import is_only_janitor, prune, surplus
from engine.store.scope import across_tenants, of_tenant
from engine.webhooks.webhooks import count_old_webhooks, forget_webhooks
from engine.worker.asked import require_no_open_gate
from engine.worker.edits import require_idle

_BY = "system"
_RETENTION = "what nobody needs any more, whosever it was"
_PAGE = 200
_ROWS = 5_000

Find = Callable[[Connection, Page | None], Awaitable[list[Aged]]]
OldJobs = Callable[[], Awaitable[int]]


@dataclass(frozen=True)
class Keep:
    """What is kept, and for how many seconds."""

    checkpoints: int = 20
    """The newest of a thread that rests."""
    resting_s: float = 86_400
    """Without a change for so long, a thread rests."""
    events_s: float = 604_800
    """Stream events, from the end of their run."""
    webhooks_s: float = 604_800
    """Delivered webhooks; dead ones ten times as long."""
    ephemeral_s: float = 3_600
    """Threads that were made for one run, from its end."""
    traces: TraceTerms = field(default_factory=TraceTerms)
    """Of routine cases."""


@dataclass(frozen=True)
class Swept:
    """How much is gone, or would go."""

    threads_deleted: int = 0
    threads_pruned: int = 0
    checkpoints: int = 0
    events: int = 0
    webhooks: int = 0
    traces: int = 0
    """Threads of which nothing is traced any more."""
    limits: int = 0
    jobs: int = 0
    chains_sealed: int = 0
    records: int = 0
    """Of the audit trail, behind seals."""

    @property
    def any(self) -> bool:
        return any(vars(self).values())


@dataclass(frozen=True)
class Janitor:
    """Any number of replicas have one; one at a time works."""

    database: Database
    keep: Keep
    old_jobs: OldJobs | None = None
    """Deletes wake-ups that nobody will finish; returns how many."""
    sealing: Sealing | None = None
    """Closes ended periods of the audit trail; without one it stays as it is."""

    async def plan(self) -> Swept:
        """What `clean` would do now; wake-ups and limits are not counted."""
        deleted = pruned = checkpoints = 0
        async for thread in self._found(self._ended):
            async with self._looked_at(thread) as conn:
                old = await surplus(conn, thread.id, keep=1) if conn and thread.strategy == "keep_latest" else []
                deleted += conn is not None and thread.strategy == "delete"
                pruned, checkpoints = pruned + bool(old), checkpoints + len(old)
        async for thread in self._found(self._resting):
            async with self._looked_at(thread) as conn:
                old = await surplus(conn, thread.id, keep=self.keep.checkpoints) if conn else []
                pruned, checkpoints = pruned + bool(old), checkpoints + len(old)
        with across_tenants(_RETENTION):
            async with self.database.transaction() as conn:
                events = await aging.count_old_events(conn, older_s=self.keep.events_s)
                webhooks = await count_old_webhooks(conn, older_s=self.keep.webhooks_s)
                traces = await count_old_traces(conn, self.keep.traces)
        sealed, records = await self.sealing.plan() if self.sealing else (0, 0)
        counts = Swept(deleted, pruned, checkpoints, events, webhooks, traces)
        return replace(counts, chains_sealed=sealed, records=records)

    async def clean(self) -> Swept:
        """Forget what may go; stops early when another janitor is at work."""
        swept = Swept()
        async for thread in self._found(self._ended):
            swept = await self._end(thread, swept)
        async for thread in self._found(self._resting):
            swept = await self._thin_out(thread, self.keep.checkpoints, swept)
        events = await self._repeated(lambda c: aging.forget_events(c, older_s=self.keep.events_s, limit=_ROWS))
        webhooks = await self._repeated(lambda c: forget_webhooks(c, older_s=self.keep.webhooks_s, limit=_ROWS))
        traces = await self._repeated(lambda c: forget_traces(c, self.keep.traces, limit=_ROWS))
        limits = await self._repeated(lambda c: forget_uses(c, limit=_ROWS))
        limits += await self._repeated(release_reads)
        jobs = await self.old_jobs() if self.old_jobs else 0
        sealed, records = await self.sealing.work() if self.sealing else (0, 0)
        swept = replace(swept, events=events, webhooks=webhooks, traces=traces, limits=limits, jobs=jobs)
        return replace(swept, chains_sealed=sealed, records=records)

    async def _ended(self, conn: Connection, after: Page | None) -> list[Aged]:
        return await aging.ended_threads(conn, ephemeral_s=self.keep.ephemeral_s, after=after, limit=_PAGE)

    async def _resting(self, conn: Connection, after: Page | None) -> list[Aged]:
        return await aging.resting_threads(conn, idle_s=self.keep.resting_s, after=after, limit=_PAGE)

    async def _found(self, find: Find) -> AsyncIterator[Aged]:
        after: Page | None = None
        while True:
            with across_tenants(_RETENTION):
                async with self.database.transaction() as conn:
                    page = await find(conn, after)
            for thread in page:
                yield thread
            if len(page) < _PAGE:
                return
            after = page[-1].page

    async def _end(self, thread: Aged, swept: Swept) -> Swept:
        if thread.strategy == "keep_latest":
            return await self._thin_out(thread, 1, swept)
        async with self._held(thread) as conn:
            if conn is None:
                return swept
            await delete_of_thread(conn, thread.id)
            await mark_deleted(conn, thread.id)
            await audit.append(conn, _subject(thread), Event.THREAD_DELETED, {"because": "its time was over"})
        return replace(swept, threads_deleted=swept.threads_deleted + 1)

    async def _thin_out(self, thread: Aged, keep: int, swept: Swept) -> Swept:
        async with self._held(thread) as conn:
            if conn is None:
                return swept
            old = await surplus(conn, thread.id, keep=keep)
            if old:
                data: dict[str, int] = {"checkpoints": len(old), "kept": keep}
                await audit.append(conn, _subject(thread), Event.THREAD_PRUNED, {**data})
            await prune(conn, thread.id, old)
            await aging.note_pruned(conn, thread.id, ends=thread.strategy is not None)
        counts = swept.threads_pruned + bool(old), swept.checkpoints + len(old)
        return replace(swept, threads_pruned=counts[0], checkpoints=counts[1])

    @asynccontextmanager
    async def _held(self, thread: Aged) -> AsyncIterator[Connection | None]:
        """A transaction that holds the thread; None while it may not be touched, or another janitor works."""
        async with self._looked_at(thread) as conn:
            yield conn if conn and await is_only_janitor(conn) else None

    @asynccontextmanager
    async def _looked_at(self, thread: Aged) -> AsyncIterator[Connection | None]:
        with of_tenant(thread.tenant):
            async with self.database.transaction() as conn:
                yield conn if await _may_be_touched(conn, thread) else None

    async def _repeated(self, forget: Callable[[Connection], Awaitable[int]]) -> int:
        total = 0
        while True:
            with across_tenants(_RETENTION):
                async with self.database.transaction() as conn:
                    gone = await forget(conn) if await is_only_janitor(conn) else 0
            total += gone
            if gone < _ROWS:
                return total


async def _may_be_touched(conn: Connection, thread: Aged) -> bool:
    if not await aging.take_unchanged(conn, thread):
        return False
    try:
        await require_no_open_gate(conn, thread.id)
        await require_idle(conn, thread.id)
    except (GateOpen, ThreadBusy):
        return False
    return True


def _subject(thread: Aged) -> Subject:
    return Subject(thread.id, "", _BY)
