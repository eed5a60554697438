"""Worker processes that can be stopped and killed: forked, ready at once, from one that has imported everything."""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from engine.catalog.catalog import load_catalog
from tests.conftest import ROOT, Site


@dataclass
class Workers:
    """Starts `gatehouse worker --sandbox` and the like at a site. Only processes started here are ever signalled."""

    site: Site
    nursery: subprocess.Popen[str]
    alive: dict[int, psutil.Process] = field(default_factory=dict)
    logs: list[Path] = field(default_factory=list)

    def start(self, **environment: str) -> int:
        """A new worker; returns its process id."""
        return self.run("worker", **environment)

    def run(self, *command: str, **environment: str) -> int:
        """`gatehouse <command> --sandbox`; returns its process id."""
        assert self.nursery.stdin
        assert self.nursery.stdout
        log = self.site.home / f"{command[0]}-{uuid.uuid4().hex[:6]}.log"
        arguments = ["gatehouse", *command, "--sandbox", "--worlds", str(self.site.worlds)]
        order = {"log": str(log), "arguments": arguments, "environment": environment}
        self.nursery.stdin.write(json.dumps(order) + "\n")
        self.nursery.stdin.flush()
        pid = int(self.nursery.stdout.readline())
        self.alive[pid] = psutil.Process(pid)
        self.logs.append(log)
        return pid

    def end(self, pid: int, how: signal.Signals) -> None:
        """Signal a worker and wait until it is gone."""
        self.signal(pid, how)
        self.wait(pid)

    def wait(self, pid: int) -> None:
        """Until a worker has ended by itself."""
        self.alive.pop(pid).wait(timeout=30)

    def lives(self, pid: int) -> bool:
        """Whether a worker has neither ended by itself nor been ended."""
        return pid in self.alive and self.alive[pid].is_running()

    def signal(self, pid: int, how: signal.Signals) -> None:
        os.kill(self.alive[pid].pid, how)

    def said(self) -> str:
        """What all workers have logged."""
        return "".join(log.read_text() for log in self.logs if log.exists())


@contextmanager
def workers_at(site: Site, *, entry: str = "cli") -> Iterator[Workers]:
    """Workers for a site; those that are still alive at the end are killed. `entry` is the module of their `main`."""
    site.home.mkdir(parents=True, exist_ok=True)
    nursery = subprocess.Popen(
        [sys.executable, "-m", "tests.workers", entry],
        cwd=ROOT,
        env=site.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    workers = Workers(site, nursery)
    try:
        yield workers
    finally:
        for pid in list(workers.alive):
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                workers.end(pid, signal.SIGKILL)
        assert nursery.stdin
        assert nursery.stdout
        nursery.stdin.close()
        nursery.stdout.close()
        nursery.wait(timeout=30)


def _fork_workers(entry: str) -> None:
    """One line in: what to start; one line out: its process id."""
    main = importlib.import_module(entry).main
    importlib.import_module("commands.serving")  # what takes the time that a fork saves
    load_catalog(Path(os.environ["GATEHOUSE_REGISTRY"]), routes={})
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for stream in (1, 2):
                os.dup2(log, stream)
            os.close(0)
            os.environ.update(order["environment"])
            sys.argv = order["arguments"]
            main()
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _fork_workers(sys.argv[1])
