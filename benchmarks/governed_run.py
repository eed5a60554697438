"""A governed run over HTTP beside the floor, in one run on one machine: `scripts/bench`.

Both drive the billing dispute that pays a small refund and replies, on the same Postgres, with the same fakes and
rules in place of models. Printed: runs/s, p50 and p95 in ms at 1 and 16 callers, commits per run, memory of the server.
"""

import argparse
import asyncio
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from psycopg_pool import AsyncConnectionPool
from rich.console import Console
from rich.table import Table

from benchmarks.floor import run_bare
from commands.sandbox import sandbox_clients
from commands.serving import free_port
from engine.access.keys import create_key
from engine.opening import open_database
from engine.settings import Settings, read_settings
from engine.store import embedded
from engine.store.database import connection_options
from evals.worlds.newcomer import open_account
from evals.worlds.store import Store

_COMPLAINT = "I was charged twice at Corner Shop."
_CALLERS = (1, 16)
OneRun = Callable[[dict[str, str]], Awaitable[None]]


@dataclass(frozen=True)
class Measured:
    """One way of running, at one number of callers; the median of the repeats."""

    way: str
    callers: int
    runs_per_s: float
    p50_ms: float
    p95_ms: float
    commits_per_run: float


class Claims:
    """Disputes that were never paid: a new account for each."""

    def __init__(self, worlds: Path) -> None:
        self._worlds = worlds
        self._next = 10_000_000

    def take(self, count: int) -> list[dict[str, str]]:
        store, claims = Store(self._worlds), []
        for _ in range(count):
            self._next += 1
            open_account(store, f"AC-{self._next}", amount_cents=2_500)
            claims.append({"complaint": _COMPLAINT, "account_id": f"AC-{self._next}"})
        store.close()
        return claims


async def measure(way: str, callers: int, claims: list[dict[str, str]], one: OneRun, dsn: str) -> Measured:
    """Run every claim, `callers` at a time."""
    waiting, took = iter(claims), []

    async def caller() -> None:
        for claim in waiting:
            began = time.perf_counter()
            await one(claim)
            took.append((time.perf_counter() - began) * 1000)

    before, began = _commits(dsn), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    seconds = time.perf_counter() - began
    await asyncio.sleep(1.5)  # Postgres reports its counters up to a second late
    commits = (_commits(dsn) - before) / len(claims)
    p95 = statistics.quantiles(took, n=20)[-1]
    return Measured(way, callers, len(claims) / seconds, statistics.median(took), p95, commits)


def _commits(dsn: str) -> int:
    with psycopg.connect(dsn, autocommit=True) as conn:
        row = conn.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()").fetchone()
    return int(row[0]) if row else 0


async def compare(settings: Settings, worlds: Path, runs: int, repeats: int) -> tuple[list[Measured], float, float]:
    """Alternate floor and server `repeats` times; also the server's memory at rest and its peak, in MB."""
    dsn, claims, clients = (
        embedded.start(settings.home, notify=lambda _: None).dsn,
        Claims(worlds),
        sandbox_clients(worlds),
    )
    async with open_database(settings, lambda _: None) as database, database.transaction() as conn:
        key = await create_key(conn, "bench", ["caller"])
    found: list[Measured] = []
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(dsn, max_size=20, open=False, kwargs=connection_options())
    async with pool:
        with _server(settings, worlds) as (url, process):
            async with httpx.AsyncClient(base_url=url, headers={"x-api-key": key}, timeout=120) as http:
                ways: dict[str, OneRun] = {
                    "floor": lambda claim: run_bare(pool, clients, claim),
                    "governed, over HTTP": lambda claim: _run_governed(http, claim),
                }
                for one in ways.values():  # warm up, not measured
                    await asyncio.gather(*(one(claim) for claim in claims.take(8)))
                at_rest = process.memory_info().rss / 1e6
                for _ in range(repeats):
                    for callers in _CALLERS:
                        for way, one in ways.items():
                            found.append(await measure(way, callers, claims.take(runs), one, dsn))
            peak = _peak_mb(process)
    return found, at_rest, peak


async def _run_governed(http: httpx.AsyncClient, claim: dict[str, str]) -> None:
    thread = (await http.post("/threads", json={})).json()["thread_id"]
    body = {"assistant_id": "billing_dispute", "input": claim}
    result = (await http.post(f"/threads/{thread}/runs/wait", json=body)).json()
    if result.get("outcome") != "completed":
        raise AssertionError(f"the server did something else: {result}")


@contextmanager
def _server(settings: Settings, worlds: Path) -> Iterator[tuple[str, psutil.Process]]:
    port = free_port()
    command = [sys.executable, "-m", "cli", "serve", "--sandbox", "--worlds", str(worlds), "--port", str(port)]
    environment = os.environ | {"GATEHOUSE_HOME": str(settings.home), "GATEHOUSE_CONCURRENCY": "16"}
    log = settings.home / "server.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                if httpx.get(f"{url}/ok").is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _peak_mb(process: psutil.Process) -> float:
    """Peak resident memory; where the system does not keep it, what is resident now."""
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 1000
    return float(process.memory_info().rss / 1e6)


def medians(found: list[Measured]) -> list[Measured]:
    """One row for each way and number of callers: the median repeat by runs/s."""
    rows = []
    for callers in _CALLERS:
        for way in dict.fromkeys(m.way for m in found):
            same = sorted((m for m in found if (m.way, m.callers) == (way, callers)), key=lambda m: m.runs_per_s)
            rows.append(same[len(same) // 2])
    return rows


def show(rows: list[Measured], at_rest: float, peak: float) -> None:
    console = Console()
    table = Table("way", "callers", "runs/s", "of the floor", "p50 ms", "p95 ms", "commits a run", box=None)
    table.columns[0].no_wrap = True
    floors = {m.callers: m for m in rows if m.way == "floor"}
    for m in rows:
        share = m.runs_per_s / floors[m.callers].runs_per_s
        figures = (
            f"{m.runs_per_s:.1f}",
            f"{share:.2f}",
            f"{m.p50_ms:.1f}",
            f"{m.p95_ms:.1f}",
            f"{m.commits_per_run:.1f}",
        )
        table.add_row(m.way, str(m.callers), *figures)
    console.print(table)
    console.print(f"\nserver with worker: {at_rest:.0f} MB at rest, {peak:.0f} MB at its peak")
    console.print(f"machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="runs for each measurement")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="output for programs")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-bench-"))
    folder.chmod(0o755)
    os.environ.pop("DATABASE_URL", None)
    settings = read_settings(home=folder / "home")
    try:
        found, at_rest, peak = asyncio.run(compare(settings, folder / "worlds.sqlite", options.runs, options.repeats))
    finally:
        embedded.stop(settings.home)
        shutil.rmtree(folder, ignore_errors=True)
    rows = medians(found)
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "rest_mb": at_rest, "peak_mb": peak}, indent=2))
    else:
        show(rows, at_rest, peak)


if __name__ == "__main__":
    main()
