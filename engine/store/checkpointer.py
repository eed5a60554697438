"""LangGraph's Postgres checkpointer, sealed, and fenced so that only the holder of a run writes for it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.types import Interrupt
from psycopg.rows import DictRow, dict_row

from contracts.errors import SealBroken
from engine.store.database import Connection, Database, raise_if_fenced
from engine.store.seal import Plain

_INTERRUPT_CHANNEL = "__interrupt__"
_BRANCH = "branch:to:"  # the channel by which LangGraph triggers a stage
_NOT_A_STAGE = ("__input__", "__interrupt__", "__start__")

Extra = Callable[[Connection], Awaitable[None]]
_same_transaction: ContextVar[Extra | None] = ContextVar("same_transaction", default=None)


@dataclass(frozen=True)
class Holder:
    """Who writes: the run, its epoch, and what else belongs in the transaction of a write."""

    run_id: str
    epoch: int
    on_stages: Callable[[Connection, list[str]], Awaitable[None]]
    """Called with the stages that finished, in the transaction that saves their checkpoint."""
    on_interrupts: Callable[[Connection, Sequence[Interrupt]], Awaitable[None]]
    """Called with new interrupts, in the transaction that saves them."""


class FencedSaver(AsyncPostgresSaver):
    """One instance per run: a shared saver serialises its callers. Without a holder it only reads."""

    def __init__(self, database: Database, serde: SerializerProtocol, holder: Holder | None = None) -> None:
        super().__init__(database.pool, serde=serde)
        self._database = database
        self._holder = holder
        self._seen: dict[str, Any] = {}
        self.stands_at: set[str] = set()
        """The stages that the checkpoint read last says come next, whether or not the loaded graph has them."""

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[psycopg.AsyncCursor[DictRow]]:
        if not pipeline:
            async with super()._cursor() as cur:
                yield cur
            return
        if self._holder is None:
            raise RuntimeError("this checkpointer was opened for reading")
        try:
            async with (
                self.lock,
                self._database.pool.connection() as conn,
                conn.pipeline(),
                conn.transaction(),
                conn.cursor(binary=True, row_factory=dict_row) as cur,
            ):
                await cur.execute("SELECT fence(%s, %s)", (self._holder.run_id, self._holder.epoch))
                yield cur
                if extra := _same_transaction.get():
                    await extra(conn)
        except psycopg.Error as error:
            raise_if_fenced(error)
            raise

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        found = await super().aget_tuple(config)
        if found:
            # Copied: LangGraph goes on writing into the checkpoint that it was given.
            self._seen = {name: dict(seen) for name, seen in found.checkpoint["versions_seen"].items()}
            channels = found.checkpoint["channel_values"]
            self.stands_at = {n.removeprefix(_BRANCH) for n in channels if n.startswith(_BRANCH)}
        return found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        stages = self._finished_stages(checkpoint)
        holder = self._holder

        async def record(conn: Connection) -> None:
            if stages and holder:
                await holder.on_stages(conn, stages)

        with _in_same_transaction(record):
            return await super().aput(config, _all_sealed(checkpoint), metadata, new_versions)

    async def _load_checkpoint_tuple(self, value: DictRow) -> CheckpointTuple:
        if value["checkpoint"].get("channel_values"):
            raise SealBroken(f"A checkpoint of thread {value['thread_id']} holds values in clear.")
        return await super()._load_checkpoint_tuple(value)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        interrupts = list(_interrupts(writes))
        holder = self._holder

        async def register(conn: Connection) -> None:
            if interrupts and holder:
                await holder.on_interrupts(conn, interrupts)

        with _in_same_transaction(register):
            await super().aput_writes(config, writes, task_id, task_path)

    def _finished_stages(self, checkpoint: Checkpoint) -> list[str]:
        seen = checkpoint["versions_seen"]
        finished = [n for n, v in seen.items() if n not in _NOT_A_STAGE and v != self._seen.get(n)]
        self._seen = {n: dict(v) for n, v in seen.items()}
        return finished


def _all_sealed(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with every value on its way to the serializer, none of them inline in the row."""
    values = checkpoint["channel_values"].items()
    boxed = {name: Plain(v) if v is None or isinstance(v, (str, int, float, bool)) else v for name, v in values}
    return {**checkpoint, "channel_values": boxed}


def _interrupts(writes: Iterable[tuple[str, Any]]) -> Iterable[Interrupt]:
    for channel, value in writes:
        if channel == _INTERRUPT_CHANNEL:
            yield from value


@contextmanager
def _in_same_transaction(extra: Extra) -> Iterator[None]:
    """Have `extra` run at the end of the transaction of the write made inside the block, in this task."""
    token = _same_transaction.set(extra)
    try:
        yield
    finally:
        _same_transaction.reset(token)
