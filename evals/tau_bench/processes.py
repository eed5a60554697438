"""Spreads work over processes, each with an engine of its own, and hears results as they come."""

import asyncio
import multiprocessing
import queue
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

_POLL_S = 0.1

Hear = Callable[[dict[str, Any]], None]
Work = Callable[[Any, Sequence[Any], Hear], Coroutine[Any, Any, None]]
"""Does a share of the items, given what they have in common, and says what became of each. A function of a module."""


def in_processes(work: Work, common: Any, items: Sequence[Any], jobs: int) -> Iterator[dict[str, Any]]:
    """Results as they come, from so many processes. Raises what ended a process before its time."""
    shares = [share for share in (items[number::jobs] for number in range(jobs)) if share]
    if len(shares) == 1:  # nothing to do beside it: a process of its own would only have to load everything again
        heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        with ThreadPoolExecutor(1) as thread:
            yield from _results(thread, work, common, shares, heard)
    elif shares:
        context = multiprocessing.get_context("spawn")
        with context.Manager() as manager, ProcessPoolExecutor(len(shares), context) as pool:
            yield from _results(pool, work, common, shares, manager.Queue())


def _results(
    pool: Executor, work: Work, common: Any, shares: Sequence[Sequence[Any]], heard: Any
) -> Iterator[dict[str, Any]]:
    working = [pool.submit(_do, work, common, share, heard) for share in shares]
    left = sum(map(len, shares))
    while left:
        while not heard.empty():
            left -= 1
            yield heard.get()
        for one in working:
            if one.done():
                one.result()
        time.sleep(_POLL_S)


def _do(work: Work, common: Any, share: Sequence[Any], heard: Any) -> None:
    asyncio.run(work(common, share, heard.put))
