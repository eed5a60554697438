"""One engine for the attacks of all files, on which nothing is left of the test before."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engines import Bench, fresh_bench

_LEFT = "TRUNCATE limit_use, held_call, rate_limit, breaker, kill_switch, known_use, refusal_count"


@pytest.fixture(scope="session")
async def attacked(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder, breaker_failures=2, breaker_open_s=60) as bench:
        yield bench


@pytest.fixture
async def bench(attacked: Bench) -> Bench:
    await attacked.rows(_LEFT)
    for table in ("api_key", "person", "received_message", "sender"):
        await attacked.rows(f"DELETE FROM {table}")
    return attacked
