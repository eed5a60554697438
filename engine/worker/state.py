"""Reads a thread's state through its workflow's graph, without holding its run."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot
from psycopg.rows import DictRow

from contracts.errors import NotFound
from engine.catalog.catalog import Catalog
from engine.catalog.workflow import Graph
from engine.store.checkpointer import FencedSaver
from engine.store.database import Database
from engine.store.seal import SealedSerializer


@dataclass(frozen=True)
class StateReader:
    """States of threads, checked by their seals."""

    database: Database
    catalog: Catalog
    seal_key: bytes

    async def latest(self, thread: DictRow) -> StateSnapshot | None:
        """The newest state; None for a thread that has had no run."""
        if thread["workflow"] is None:
            return None
        return await self._graph(thread).aget_state(_config(thread))

    async def at(self, thread: DictRow, checkpoint_id: str) -> StateSnapshot:
        """The state at one checkpoint. Raises `NotFound`."""
        config = _config(thread)
        config["configurable"]["checkpoint_id"] = checkpoint_id
        snapshot = await self._graph(thread).aget_state(config) if thread["workflow"] else None
        if snapshot is None or snapshot.created_at is None:
            raise NotFound(f"Thread {thread['id']} has no checkpoint {checkpoint_id!r}.")
        return snapshot

    async def history(self, thread: DictRow, *, limit: int, before: str | None = None) -> AsyncIterator[StateSnapshot]:
        """States, newest first; only those before the checkpoint `before`."""
        if thread["workflow"] is None:
            return
        earlier: RunnableConfig | None = {"configurable": {"checkpoint_id": before}} if before else None
        async for snapshot in self._graph(thread).aget_state_history(_config(thread), limit=limit, before=earlier):
            yield snapshot

    def _graph(self, thread: DictRow) -> Graph:
        serde = SealedSerializer(self.seal_key, tenant=thread["tenant"], thread_id=str(thread["id"]))
        graph: Graph = self.catalog[thread["workflow"]].graph
        return graph.copy({"checkpointer": FencedSaver(self.database, serde)})


def _config(thread: DictRow) -> RunnableConfig:
    return {"configurable": {"thread_id": str(thread["id"])}}
