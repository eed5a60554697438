"""Reads a thread's state through its workflow's graph, without holding its run."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot
from psycopg.rows import DictRow

from contracts.approval import JsonObject
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

    async def latest(self, thread: DictRow, *, ns: str = "", subgraphs: bool = False) -> StateSnapshot | None:
        """The newest state, of the subgraph `ns` if it names one; `subgraphs`: with those of subgraphs that wait.

        None for a thread that has had no run.
        """
        if thread["workflow"] is None:
            return None
        async with self.database.errors_explained():
            return await self._graph(thread).aget_state(_config(thread, ns), subgraphs=subgraphs)

    async def at(self, thread: DictRow, checkpoint_id: str, *, ns: str = "", subgraphs: bool = False) -> StateSnapshot:
        """The state at one checkpoint, of the subgraph `ns` if it names one. Raises `NotFound`."""
        config = _config(thread, ns)
        config["configurable"]["checkpoint_id"] = checkpoint_id
        graph = self._graph(thread) if thread["workflow"] else None
        async with self.database.errors_explained():
            snapshot = await graph.aget_state(config, subgraphs=subgraphs) if graph else None
        if snapshot is None or snapshot.created_at is None:
            raise NotFound(f"Thread {thread['id']} has no checkpoint {checkpoint_id!r}.")
        return snapshot

    async def history(
        self,
        thread: DictRow,
        *,
        limit: int,
        before: str | None = None,
        metadata: JsonObject | None = None,
        ns: str = "",
    ) -> AsyncIterator[StateSnapshot]:
        """States, newest first; only those before the checkpoint `before`, with this metadata, of the subgraph `ns`."""
        if thread["workflow"] is None:
            return
        earlier: RunnableConfig | None = {"configurable": {"checkpoint_id": before}} if before else None
        found = self._graph(thread).aget_state_history(
            _config(thread, ns), limit=limit, before=earlier, filter=metadata
        )
        async with self.database.errors_explained():
            async for snapshot in found:
                yield snapshot

    def _graph(self, thread: DictRow) -> Graph:
        serde = SealedSerializer(self.seal_key, tenant=thread["tenant"], thread_id=str(thread["id"]))
        graph: Graph = self.catalog[thread["workflow"]].graph
        return graph.copy({"checkpointer": FencedSaver(self.database, serde)})


def _config(thread: DictRow, ns: str) -> RunnableConfig:
    return {"configurable": {"thread_id": str(thread["id"])} | ({"checkpoint_ns": ns} if ns else {})}
