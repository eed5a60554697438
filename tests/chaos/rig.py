"""What the chaos runs on: Postgres, a counter outside, one server, workers; each can be hurt and mended."""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg

from commands.serving import free_port
from engine.audit.verify import verify
from engine.opening import open_database
from engine.store import embedded
from tests.conftest import TRIALS, People, Site, make_people, wait_until_up
from tests.outside import Outside, outside_at
from tests.workers import Workers, workers_at

LEASE_S = 2.0
# Postgres takes a hundred connections: a server and a handful of workers share them.
_SMALL = {"GATEHOUSE_POOL_SIZE": "10", "GATEHOUSE_CONCURRENCY": "8"}
_TAKEOVERS = """
CREATE TABLE takeover (run_id uuid, owner text, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE FUNCTION note_takeover() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO takeover (run_id, owner) VALUES (NEW.id, OLD.lease_owner);
    RETURN NULL;
END $$;
CREATE TRIGGER note_takeover AFTER UPDATE ON run FOR EACH ROW
    WHEN (OLD.status = 'running' AND NEW.epoch > OLD.epoch) EXECUTE FUNCTION note_takeover();
"""


@dataclass
class Rig:
    """Processes of one installation. Only those started here are ever signalled."""

    site: Site
    outside: Outside
    people: People
    processes: Workers
    port: int
    lease_s: float
    server: int = 0
    carriers: set[int] = field(default_factory=set)
    """Workers that are alive and not stopped."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start_worker(self) -> None:
        self.carriers.add(self.processes.start(GATEHOUSE_LEASE_S=str(self.lease_s), **_SMALL))

    def start_server(self) -> None:
        self.server = self.processes.run("serve", "--no-worker", "--port", str(self.port), **_SMALL)

    def kill(self, pid: int) -> None:
        self.carriers.discard(pid)
        if self.processes.lives(pid):
            self.processes.end(pid, signal.SIGKILL)

    def supervise(self) -> None:
        """As a supervisor does: who ended by itself, because Postgres was away at its start, is started again."""
        for pid in [pid for pid in self.carriers if not self.processes.lives(pid)]:
            self.carriers.discard(pid)
            self.start_worker()
        if not self.processes.lives(self.server):
            self.start_server()

    def kill_postgres(self) -> None:
        """The postmaster; its backends end when they notice."""
        data = Path(embedded.start(self.site.home, notify=lambda _: None).data)
        os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def start_postgres(self) -> None:
        dsn = embedded.start(self.site.home, notify=lambda _: None).dsn
        if dsn != self.site.dsn:
            raise AssertionError("Postgres came back at another address; nobody would find it")

    def result_of(self, thread: str) -> str:
        """What a caller reads as the summary of a thread."""
        reply = httpx.get(f"{self.url}/threads/{thread}", headers={"x-api-key": self.people.ada}, timeout=30)
        return str(reply.raise_for_status().json()["values"].get("summary", ""))

    async def audit_findings(self) -> int:
        """How many breaks the audit trail has."""
        async with open_database(self.site.settings(), lambda _: None) as database, database.transaction() as conn:
            return len((await verify(conn)).findings)

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """To the database; waits while it starts. Raises psycopg.OperationalError when it does not come."""
        for _ in range(100):
            with contextlib.suppress(psycopg.OperationalError):
                return psycopg.connect(self.site.dsn, autocommit=True)
            time.sleep(0.1)
        return psycopg.connect(self.site.dsn, autocommit=True)


@contextmanager
def open_rig(*, workers: int, lease_s: float = LEASE_S, ledger: bool = True, delay_ms: int = 40) -> Iterator[Rig]:
    """A rig that runs; everything it started is ended and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-chaos-"))
    folder.chmod(0o755)
    home = folder / "home"
    try:
        dsn = embedded.start(home, notify=lambda _: None).dsn
        with outside_at(folder / "counter.sqlite", delay_ms=delay_ms) as outside:
            site = Site(dsn, home, home / "worlds.sqlite", TRIALS, {"counter": outside.url})
            people = asyncio.run(make_people(site.settings()))
            with workers_at(site, entry="cli" if ledger else "tests.chaos.without_ledger") as processes:
                rig = Rig(site, outside, people, processes, free_port(), lease_s)
                with rig.connect() as conn:
                    conn.execute(_TAKEOVERS)
                rig.start_server()
                for _ in range(workers):
                    rig.start_worker()
                wait_until_up(rig.url)
                yield rig
    finally:
        embedded.stop(home)
        shutil.rmtree(folder, ignore_errors=True)
