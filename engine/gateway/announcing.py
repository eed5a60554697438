"""Tells who follows a run's tools that a call begins and how it ends; neither what it asks nor what is answered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from langchain_core.runnables.config import ensure_config, get_async_callback_manager_for_config

from contracts.errors import GatehouseError


@asynccontextmanager
async def announced(tool: str, call_key: str) -> AsyncIterator[None]:
    """Announce the call made in the block to LangChain's callbacks, as its own tools do, if anybody listens.

    What a tool answers may be more than the stage keeps in the state, which is all that a caller may see.
    """
    manager = get_async_callback_manager_for_config(ensure_config())
    if not manager.handlers:
        yield
        return
    begun = await manager.on_tool_start({"name": tool}, "", name=tool, tool_call_id=call_key)
    try:
        yield
    except GatehouseError as error:
        await begun.on_tool_error(error, tool_call_id=call_key)
        raise
    await begun.on_tool_end(None, tool_call_id=call_key)
