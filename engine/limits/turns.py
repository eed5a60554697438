"""Waiting for one's turn: a call whose rate is used up for a moment comes a moment later."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from contracts.errors import RateLimited

Begun = TypeVar("Begun")
LONGEST_TURN_S = 5.0


async def in_turn(begin: Callable[[], Awaitable[Begun]], *, ends_at: float) -> Begun:
    """What `begin` gives, tried again once its rate is free.

    Raises `RateLimited` where that would take more than five seconds, or longer than `ends_at` in monotonic seconds.
    """
    until = min(time.monotonic() + LONGEST_TURN_S, ends_at)
    while True:
        try:
            return await begin()
        except RateLimited as error:
            wait_s = float(str(error.facts["wait_s"]))
            if time.monotonic() + wait_s > until:
                raise
        await asyncio.sleep(wait_s)
