"""What limits cost: `python -m benchmarks.limits`. Two processes hammer one rate, then one call's question is timed."""

import argparse
import asyncio
import json
import multiprocessing
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from engine.limits.admission import stand
from engine.limits.model import Ask, Share
from engine.limits.rates import Rate, take
from engine.store import embedded
from engine.store.database import Connection, Database
from engine.store.migrate import migrate
from engine.store.scope import of_tenant

_TENANT = "b"
_RATE = Rate("benchmark", 600, _TENANT)
_PROCESSES = 2


@dataclass(frozen=True)
class _Hammered:
    """What one process saw; when it began and ended, by the clock on the wall."""

    began_at: float
    ended_at: float
    passed: int
    costs_us: list[float]


async def _hammer(dsn: str, seconds: float) -> _Hammered:
    database, passed, costs = Database(dsn, size=4), 0, []
    await database.open()
    began_at, until = time.time(), time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        async with database.reading() as conn:
            passed += await take(conn, _RATE) == 0
        costs.append((time.perf_counter() - began) * 1e6)
    ended_at = time.time()
    await database.close()
    return _Hammered(began_at, ended_at, passed, costs)


def _in_process(dsn: str, seconds: float) -> _Hammered:
    with of_tenant(_TENANT):
        return asyncio.run(_hammer(dsn, seconds))


async def measure(dsn: str, times: int) -> dict[str, float]:
    """Median microseconds of the one statement within an open transaction: of nothing, without caps, and with."""
    database = Database(dsn, size=4)
    await database.open()
    run_id = await _a_run(database)

    def ask(n: int, *, capped: bool) -> Ask:
        shares = [Share("workflow:b", "day", unit, 1, 10**12) for unit in ("tool_calls", "ms", "money:EUR")]
        many, rate = tuple(shares) if capped else (), Rate("b", 10**9, "b")
        key = f"{uuid.uuid4()}:{n}"
        rates = (rate,) if capped else ()
        return Ask(key, "tool", "b.read", "b", "b", run_id, run_id, "read", shares=many, rates=rates)

    async with database.transaction() as conn:
        floor = await _timed(times, lambda _: _nothing(conn))
        plain = await _timed(times, lambda n: _stand(conn, ask(n, capped=False)))
        capped = await _timed(times, lambda n: _stand(conn, ask(n, capped=True)))
    await database.close()
    return {"round_trip_us": floor, "without_caps_us": plain, "three_caps_and_a_rate_us": capped}


async def _stand(conn: Connection, ask: Ask) -> None:
    await stand(conn, ask)


async def _nothing(conn: Connection) -> None:
    await conn.execute("SELECT 1")


async def _timed(times: int, do: Callable[[int], Awaitable[None]]) -> float:
    costs = []
    for n in range(times):
        began = time.perf_counter()
        await do(n)
        costs.append((time.perf_counter() - began) * 1e6)
    return round(statistics.median(costs), 1)


async def _a_run(database: Database) -> str:
    run_id, thread = str(uuid.uuid4()), str(uuid.uuid4())
    async with database.transaction() as conn:
        await conn.execute("INSERT INTO thread (id, tenant) VALUES (%s, 'b')", [thread])
        await conn.execute(
            "INSERT INTO run (id, thread_id, case_id, tenant, workflow, version, kind, requester, actor) "
            "VALUES (%s, %s, %s, 'b', 'b', 'b', 'input', 'b', 'b')",
            [run_id, thread, run_id],
        )
    return run_id


def main() -> None:
    """Print the figures as JSON. Exit code 1 if more passed than the limit allows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--times", type=int, default=500)
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="gatehouse-limits-"))
    home.chmod(0o711)
    try:
        dsn = embedded.start(home, notify=lambda _: None).dsn
        asyncio.run(_prepare(dsn))
        with multiprocessing.Pool(_PROCESSES) as pool:
            hammered = pool.starmap(_in_process, [(dsn, asked.seconds)] * _PROCESSES)
        passed, costs = sum(each.passed for each in hammered), sorted(c for each in hammered for c in each.costs_us)
        window_s = max(each.ended_at for each in hammered) - min(each.began_at for each in hammered)
        most = _RATE.burst + int(window_s / _RATE.every_s) + 1
        figures = {
            "processes": _PROCESSES,
            "asked": len(costs),
            "passed": passed,
            "at_most": most,
            "decision_p50_us": round(costs[len(costs) // 2], 1),
            "decision_p95_us": round(costs[int(len(costs) * 0.95)], 1),
        }
        with of_tenant(_TENANT):
            figures |= asyncio.run(measure(dsn, asked.times))
    finally:
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps(figures, indent=1))
    raise SystemExit(1 if passed > most else 0)


async def _prepare(dsn: str) -> None:
    await migrate(dsn)


if __name__ == "__main__":
    main()
