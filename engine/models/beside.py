"""Work of this process that nobody waits for: questions put to second models."""

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Coroutine
from typing import Any

_LOG = logging.getLogger("gatehouse.models")
_AT_A_TIME = 8
_CLOSING_S = 2.0


class Beside:
    """Calls of second models under way in this process. More than eight at a time are not made."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Have it done without anybody waiting for it, or hearing of its failure but the log."""
        if len(self._tasks) >= _AT_A_TIME:
            work.close()
            return
        # In a context of its own: what follows the run's messages is not to hear the second model.
        task = asyncio.create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def finish(self) -> None:
        """Wait for those under way."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Give those under way a moment, then end them."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                await self.finish()
        for task in set(self._tasks):
            task.cancel()
        await self.finish()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _LOG.warning("a second model was not heard", exc_info=error)
