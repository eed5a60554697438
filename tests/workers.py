"""Worker processes that can be stopped and killed."""

import contextlib
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.conftest import Site
from tests.nursery import NURSERY, Forked


@dataclass
class Workers:
    """Starts `gatehouse worker --sandbox` and the like at a site. Only processes started here are ever signalled."""

    site: Site
    entry: str
    """Module of their `main`."""
    alive: dict[int, Forked] = field(default_factory=dict)
    logs: list[Path] = field(default_factory=list)

    def start(self, **environment: str) -> int:
        """A new worker; returns its process id."""
        return self.run("worker", **environment)

    def run(self, *command: str, **environment: str) -> int:
        """`gatehouse <command> --sandbox`; returns its process id."""
        log = self.site.home / f"{command[0]}-{uuid.uuid4().hex[:6]}.log"
        arguments = ["gatehouse", *command, "--sandbox", "--worlds", str(self.site.worlds)]
        forked = NURSERY.start(self.entry, arguments, self.site.environment(**environment), log)
        self.alive[forked.pid] = forked
        self.logs.append(log)
        return forked.pid

    def end(self, pid: int, how: signal.Signals) -> None:
        """Signal a worker and wait until it is gone."""
        self.signal(pid, how)
        self.wait(pid)

    def wait(self, pid: int) -> None:
        """Until a worker has ended by itself."""
        self.alive.pop(pid).wait()

    def lives(self, pid: int) -> bool:
        """Whether a worker has neither ended by itself nor been ended."""
        return pid in self.alive and self.alive[pid].lives

    def signal(self, pid: int, how: signal.Signals) -> None:
        self.alive[pid].signal(how)

    def said(self) -> str:
        """What all workers have logged."""
        return "".join(log.read_text() for log in self.logs if log.exists())


@contextmanager
def workers_at(site: Site, *, entry: str = "cli") -> Iterator[Workers]:
    """Workers for a site; those that are still alive at the end are killed."""
    site.home.mkdir(parents=True, exist_ok=True)
    workers = Workers(site, entry)
    try:
        yield workers
    finally:
        for pid in list(workers.alive):
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                workers.end(pid, signal.SIGKILL)
