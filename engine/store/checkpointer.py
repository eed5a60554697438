"""LangGraph's Postgres checkpointer, sealed, and writing through the journal of the run that holds the thread."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    copy_checkpoint,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.types import Interrupt
from psycopg import AsyncCursor
from psycopg.rows import DictRow, dict_row

from contracts.errors import SealBroken
from engine.store.database import Database
from engine.store.journal import Page
from engine.store.seal import Plain

_INTERRUPT_CHANNEL = "__interrupt__"
_BRANCH = "branch:to:"  # the channel by which LangGraph triggers a stage
_NOT_A_STAGE = ("__input__", "__interrupt__", "__start__")

Hold = Callable[[Page], None]


@dataclass(frozen=True)
class Holder:
    """Who writes, and what else belongs in the transaction of a write."""

    hold: Hold
    """Takes what is to be written."""
    on_stages: Callable[[list[str]], None]
    """Hears of the stages whose checkpoint is held."""
    on_interrupts: Callable[[Sequence[Interrupt]], None]
    """Hears of new interrupts that are held."""


class FencedSaver(AsyncPostgresSaver):
    """One instance per run: a shared saver serialises its callers. Without a holder it only reads.

    While it writes, it knows the newest checkpoint of each namespace and does not read it back.
    """

    def __init__(
        self, database: Database, serde: SerializerProtocol, holder: Holder | None = None, *, fresh: bool = False
    ) -> None:
        """`fresh`: it is known that the thread has no checkpoint."""
        super().__init__(cast(Any, database.pool), serde=serde)
        self._database = database
        self._holder = holder
        self._newest: dict[str, _Newest] = {}
        self._empty = {""} if fresh else set()
        self.stands_at: set[str] = set()
        """The stages that the checkpoint read last says come next, whether or not the loaded graph has them."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        where = config["configurable"]
        ns, asked = where.get("checkpoint_ns", ""), where.get("checkpoint_id")
        newest = self._newest.get(ns)
        if newest and asked in (None, newest.checkpoint["id"]):
            return newest.found()
        if ns in self._empty:
            return None
        found = await super().aget_tuple(config)
        if self._holder and not found and not asked:
            self._empty.add(ns)
        if found:
            if self._holder:
                self._newest[ns] = _Newest.of(found)
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
        holder, where = self._require_holder(), config["configurable"]
        thread_id, ns, parent = where["thread_id"], where["checkpoint_ns"], where.get("checkpoint_id")
        blobs = [
            (thread_id, ns, channel, str(version), *self._sealed(checkpoint["channel_values"][channel]))
            for channel, version in new_versions.items()
            if channel in checkpoint["channel_values"]
        ]
        stored = {**checkpoint, "channel_values": {}}
        about = get_serializable_checkpoint_metadata(config, metadata)
        holder.hold(Page(checkpoints=[(thread_id, ns, checkpoint["id"], parent, stored, about)], blobs=blobs))
        if stages := self._finished_stages(ns, checkpoint):
            holder.on_stages(stages)
        saved: RunnableConfig = {
            "configurable": {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint["id"]}
        }
        self._empty.discard(ns)
        self._newest[ns] = _Newest(saved, copy_checkpoint(checkpoint), about, config if parent else None, {})
        return saved

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        holder, where = self._require_holder(), config["configurable"]
        thread_id, ns, checkpoint_id = where["thread_id"], where["checkpoint_ns"], where["checkpoint_id"]
        numbered = [(WRITES_IDX_MAP.get(channel, i), channel, value) for i, (channel, value) in enumerate(writes)]
        rows = [
            (thread_id, ns, checkpoint_id, task_id, task_path, i, channel, *self.serde.dumps_typed(value))
            for i, channel, value in numbered
        ]
        holder.hold(Page(writes=rows))
        if interrupts := list(_interrupts(writes)):
            holder.on_interrupts(interrupts)
        newest = self._newest.get(ns)
        if newest and newest.checkpoint["id"] == checkpoint_id:
            newest.take(task_id, numbered)

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        # The parent takes a connection that works for nobody, and sees nothing.
        reading = self._database.reading()
        async with self.lock, reading as conn, conn.cursor(binary=True, row_factory=dict_row) as cursor:
            yield cursor

    async def _load_checkpoint_tuple(self, value: DictRow) -> CheckpointTuple:
        if value["checkpoint"].get("channel_values"):
            raise SealBroken(f"A checkpoint of thread {value['thread_id']} holds values in clear.")
        return await super()._load_checkpoint_tuple(value)

    def _require_holder(self) -> Holder:
        if self._holder is None:
            raise RuntimeError("this checkpointer was opened for reading")
        return self._holder

    def _sealed(self, value: Any) -> tuple[str, bytes]:
        plain = value is None or isinstance(value, (str, int, float, bool))
        return self.serde.dumps_typed(Plain(value) if plain else value)

    def _finished_stages(self, ns: str, checkpoint: Checkpoint) -> list[str]:
        newest = self._newest.get(ns)
        before = newest.checkpoint["versions_seen"] if newest else {}
        seen = checkpoint["versions_seen"].items()
        return [name for name, version in seen if name not in _NOT_A_STAGE and version != before.get(name)]


@dataclass(frozen=True)
class _Newest:
    """A checkpoint as it was written or read last, with what its tasks have written since."""

    config: RunnableConfig
    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    parent_config: RunnableConfig | None
    writes: dict[tuple[str, int], tuple[str, str, Any]]

    @classmethod
    def of(cls, found: CheckpointTuple) -> "_Newest":
        writes = {(w[0], WRITES_IDX_MAP.get(w[1], i)): w for i, w in enumerate(found.pending_writes or [])}
        return cls(found.config, copy_checkpoint(found.checkpoint), found.metadata, found.parent_config, writes)

    def take(self, task_id: str, numbered: Iterable[tuple[int, str, Any]]) -> None:
        """Like the table: a task's write is kept as it was first, but for interrupts, errors and answers."""
        for index, channel, value in numbered:
            if index < 0 or (task_id, index) not in self.writes:
                self.writes[task_id, index] = (task_id, channel, value)

    def found(self) -> CheckpointTuple:
        """Copied: LangGraph goes on writing into the checkpoint that it is given."""
        copied = copy_checkpoint(self.checkpoint)
        return CheckpointTuple(self.config, copied, self.metadata, self.parent_config, list(self.writes.values()))


def _interrupts(writes: Iterable[tuple[str, Any]]) -> Iterable[Interrupt]:
    for channel, value in writes:
        if channel == _INTERRUPT_CHANNEL:
            yield from value
