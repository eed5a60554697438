"""The server processes that are measured, and what memory they take."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks import ROOT, TRIALS
from commands.serving import free_port

_UNGOVERNED = ("three_stages", "question", "talk")


@dataclass(frozen=True)
class Served:
    """A running server."""

    url: str
    pid: int

    def rest_mb(self) -> float:
        """Resident memory of the process and its children now."""
        process = psutil.Process(self.pid)
        every = [process, *process.children(recursive=True)]
        return sum(one.memory_info().rss for one in every) / 1e6

    def peak_mb(self) -> float:
        """Peak resident memory of the process; where the system does not keep it, what is resident now."""
        status = Path(f"/proc/{self.pid}/status")
        if not status.exists():
            return self.rest_mb()
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024 / 1e6


def cpu_s(pid: int) -> float:
    """Processor time that a process and its living children have used until now."""
    process = psutil.Process(pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in times)


@contextmanager
def our_server(
    folder: Path, dsn: str, *options: str, registry: Path = TRIALS, systems: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """`gatehouse serve` with a worker for 16 runs at a time."""
    environment = {"DATABASE_URL": dsn, "GATEHOUSE_HOME": str(folder), "GATEHOUSE_CONCURRENCY": "16"}
    environment |= {"GATEHOUSE_SYSTEMS": json.dumps(dict(systems or {}))}
    port = free_port()
    command = [sys.executable, "-m", "cli", "serve", "--port", str(port), *options]
    with _served(command, port, ROOT, environment | {"GATEHOUSE_REGISTRY": str(registry)}, folder) as served:
        yield served


@contextmanager
def dev_server(folder: Path) -> Iterator[Served]:
    """`langgraph dev`: LangGraph's own server for development, its state in memory, for 16 runs at a time."""
    place = folder / "dev"
    place.mkdir()
    file = ROOT / "benchmarks" / "ungoverned.py"
    graphs = {name: f"{file}:{name}" for name in _UNGOVERNED}
    config = {"dependencies": [str(ROOT), str(TRIALS.parent)], "graphs": graphs}
    (place / "langgraph.json").write_text(json.dumps(config))
    port = free_port()
    program = Path(sys.executable).with_name("langgraph")
    quiet = ["--no-browser", "--no-reload", "--host", "127.0.0.1", "--n-jobs-per-worker", "16"]
    command = [str(program), "dev", "--port", str(port), *quiet, "--server-log-level", "error"]
    with _served(command, port, place, {"LANGSMITH_TRACING": "false"}, place) as served:
        yield served


@contextmanager
def _served(command: list[str], port: int, cwd: Path, more: Mapping[str, str], logs: Path) -> Iterator[Served]:
    log = logs / f"server-{port}.log"
    ours = ("GATEHOUSE_", "LANGSMITH_", "LANGCHAIN_", "DATABASE_URL")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | dict(more)
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=file, stderr=file)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(url, process, log)
        yield Served(url, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"{url}/ok").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
        if process.poll() is not None:
            break
    raise RuntimeError(f"no server came up: {log.read_text()[-1500:]}")
