"""`scripts/restart`: threads wait for people, everything is killed and started again, each is answered, all finish."""

import argparse
import asyncio
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from rich.console import Console

from tests.chaos.rig import Rig, open_rig
from tests.conftest import pytest_configure, wait_until_up

_CALLERS = 16
_PARKED = "SELECT count(*) FROM thread WHERE status = 'interrupted'"
_LAST = """
SELECT DISTINCT ON (thread_id) thread_id::text, coalesce(outcome, status) FROM run ORDER BY thread_id, seq DESC
"""


@dataclass
class Restarted:
    """What came of the threads, and how long each part took."""

    parked: int
    outcomes: Counter[str]
    counted: Counter[int]
    """How many effects happened how often."""
    took_s: dict[str, float]
    reasons: list[str]
    """What the threads say that were not completed."""

    def all_finished(self, threads: int) -> bool:
        """Every thread waited and was completed; every second one has an effect, which happened once."""
        once = Counter({1: (threads + 1) // 2})
        return (self.parked, self.outcomes, self.counted) == (threads, Counter(completed=threads), once)


def restart_with_parked(threads: int, *, workers: int) -> Restarted:
    """Park `threads` cases, by turns at a gate and at a question; kill all processes; start them; answer; wait."""
    took: dict[str, float] = {}
    # Nobody is taken over from here: a lease as in production, so that a slow machine is no reason not to send.
    with open_rig(workers=workers, lease_s=15, delay_ms=0) as rig:
        with _timed(took, "parking"):
            asyncio.run(_park(rig, threads))
        parked = _count(rig, _PARKED)
        with _timed(took, "killing and starting"):
            _restart(rig, workers)
        with _timed(took, "answering"):
            asyncio.run(_answer(rig))
        with _timed(took, "finishing after the last answer"):
            _wait_for_end(rig)
        with rig.connect() as conn:
            outcomes = {str(thread): str(outcome) for thread, outcome in conn.execute(_LAST).fetchall()}
        reasons = [rig.result_of(thread) for thread, outcome in outcomes.items() if outcome != "completed"]
        return Restarted(parked, Counter(outcomes.values()), Counter(rig.outside.counted().values()), took, reasons)


def _restart(rig: Rig, workers: int) -> None:
    for pid in [*rig.carriers, rig.server]:
        rig.kill(pid)
    rig.kill_postgres()
    rig.start_postgres()
    rig.start_server()
    for _ in range(workers):
        rig.start_worker()
    wait_until_up(rig.url)


async def _park(rig: Rig, threads: int) -> None:
    async with _client(rig, rig.people.ada) as http:
        left = iter(range(threads))

        async def caller() -> None:
            for number in left:
                thread = (await _post(http, "/threads"))["thread_id"]
                await _post(http, f"/threads/{thread}/runs/wait", **_case(number))

        await asyncio.gather(*(caller() for _ in range(_CALLERS)))


def _case(number: int) -> dict[str, Any]:
    if number % 2:
        return {"assistant_id": "question", "input": {"topic": f"number {number}"}}
    return {"assistant_id": "gate", "input": {"case": uuid.uuid4().hex, "number": 11}}


async def _answer(rig: Rig) -> None:
    """As people do: read what a thread waits for, and answer that."""
    async with _client(rig, rig.people.fin) as fin, _client(rig, rig.people.ada) as ada:
        with rig.connect() as conn:
            found = conn.execute("SELECT id::text, workflow FROM thread WHERE status = 'interrupted'").fetchall()
        left = iter([(str(thread), str(workflow)) for thread, workflow in found])

        async def caller() -> None:
            for thread, workflow in left:
                http, answer = (fin, {"type": "approve"}) if workflow == "gate" else (ada, {"text": "yes"})
                interrupts = (await http.get(f"/threads/{thread}")).raise_for_status().json()["interrupts"]
                ((shown,),) = interrupts.values()
                command = {"resume": {shown["id"]: answer}}
                await _post(http, f"/threads/{thread}/runs", assistant_id=workflow, command=command)

        await asyncio.gather(*(caller() for _ in range(_CALLERS)))


def _wait_for_end(rig: Rig) -> None:
    ends_at = time.monotonic() + 300
    while _count(rig, "SELECT count(*) FROM thread WHERE status <> 'idle'") and time.monotonic() < ends_at:
        time.sleep(0.2)


def _count(rig: Rig, query: Any) -> int:
    with rig.connect() as conn:
        row = conn.execute(query).fetchone()
    return int(str(row[0])) if row else 0


def _client(rig: Rig, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=rig.url, headers={"x-api-key": key}, timeout=60)


async def _post(http: httpx.AsyncClient, path: str, **body: Any) -> Any:
    reply = await http.post(path, json=body)
    if not reply.is_success:
        raise AssertionError(f"{path} was answered {reply.status_code}: {reply.text[:300]}")
    return reply.json()


@contextmanager
def _timed(took: dict[str, float], what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    took[what] = time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/restart", description=__doc__)
    parser.add_argument("--threads", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    pytest_configure()
    found = restart_with_parked(options.threads, workers=options.workers)
    console = Console()
    for what, seconds in found.took_s.items():
        console.print(f"{what}: {seconds:.1f} s")
    outcomes = ", ".join(f"{number} {outcome}" for outcome, number in found.outcomes.items())
    console.print(
        f"waited: {found.parked}, then: {outcomes}; effects by how often they happened: {dict(found.counted)}"
    )
    for reason in found.reasons[:5]:
        console.print(f"[red]not completed:[/red] {reason}")
    sys.exit(0 if found.all_finished(options.threads) else 1)


if __name__ == "__main__":
    main()
