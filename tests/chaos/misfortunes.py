"""What happens to the processes: drawn by a seeded driver, each kind at least once."""

import asyncio
import contextlib
import random
import signal
import socket
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Literal

import psycopg

from tests.chaos.rig import LEASE_S, Rig

_DROP = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5
"""

Kind = Literal[
    "worker killed",
    "worker stopped for longer than its lease",
    "worker drained",
    "connections dropped",
    "server killed",
    "Postgres killed",
]
_OFTEN: dict[Kind, int] = {
    "worker killed": 40,
    "worker stopped for longer than its lease": 15,
    "worker drained": 15,
    "connections dropped": 15,
    "server killed": 10,
    "Postgres killed": 5,
}


@dataclass
class Misfortunes:
    """Strikes every `every_s` seconds on average."""

    rig: Rig
    random: random.Random
    every_s: float
    kinds: tuple[Kind, ...]
    happened: Counter[str] = field(default_factory=Counter)
    silenced: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By a worker's name as leases have it: when it was killed or stopped, in seconds since the epoch."""
    outages: list[float] = field(default_factory=list)
    """When Postgres was killed."""
    _stopped: set[asyncio.Task[None]] = field(default_factory=set)

    async def strike_until(self, over: asyncio.Event) -> None:
        """Strike each kind once, then on until `over` is set; then let everybody who is stopped go on."""
        first = [*self.kinds]
        self.random.shuffle(first)
        while first or not over.is_set():
            await asyncio.sleep(self.random.uniform(0.5, 1.5) * self.every_s)
            weights = [_OFTEN[kind] for kind in self.kinds]
            kind = first.pop() if first else self.random.choices(self.kinds, weights)[0]
            self.happened[kind] += 1
            await self._strike(kind)
        await asyncio.gather(*self._stopped)

    async def _strike(self, kind: Kind) -> None:
        match kind:
            case "worker killed":
                await self._kill_worker()
            case "worker stopped for longer than its lease":
                await self._stop_worker()
            case "worker drained":
                await self._drain_worker()
            case "connections dropped":
                await self._drop_connections()
            case "server killed":
                await self._kill_server()
            case "Postgres killed":
                await self._kill_postgres()

    async def _kill_worker(self) -> None:
        pid = self._victim()
        self._silence(pid)
        self.rig.kill(pid)
        self.rig.start_worker()

    async def _stop_worker(self) -> None:
        pid = self._victim()
        self.rig.carriers.discard(pid)
        self._silence(pid)
        self.rig.processes.signal(pid, signal.SIGSTOP)
        task = asyncio.create_task(self._let_go_on(pid))
        self._stopped.add(task)
        task.add_done_callback(self._stopped.discard)
        if not self.rig.carriers:
            self.rig.start_worker()

    async def _let_go_on(self, pid: int) -> None:
        await asyncio.sleep(LEASE_S * self.random.uniform(1.2, 2.5))
        self.rig.processes.signal(pid, signal.SIGCONT)
        self.rig.carriers.add(pid)

    async def _drain_worker(self) -> None:
        pid = self._victim()
        self.rig.carriers.discard(pid)
        self.rig.start_worker()
        await asyncio.to_thread(self.rig.processes.end, pid, signal.SIGTERM)

    async def _drop_connections(self) -> None:
        with contextlib.suppress(psycopg.OperationalError), self.rig.connect() as conn:
            conn.execute(_DROP)

    async def _kill_server(self) -> None:
        self.rig.kill(self.rig.server)
        self.rig.start_server()

    async def _kill_postgres(self) -> None:
        self.outages.append(time.time())
        await asyncio.to_thread(self.rig.kill_postgres)
        await asyncio.sleep(self.random.uniform(0, 1))
        await asyncio.to_thread(self.rig.start_postgres)

    def _victim(self) -> int:
        self.rig.supervise()
        return self.random.choice(sorted(self.rig.carriers))

    def _silence(self, pid: int) -> None:
        self.silenced[f"{socket.gethostname()}:{pid}"].append(time.time())
