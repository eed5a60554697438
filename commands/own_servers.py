"""Servers and workers that a command starts for itself, over a database of their own; all gone at the end."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from commands.serving import free_port
from contracts.errors import ConfigurationError
from engine.access.keys import LOCAL, create_key
from engine.opening import open_database
from engine.settings import read_settings
from engine.store import embedded
from engine.store.scope import of_tenant

_START_S = 60
_STOP_S = 30
_POOL = "10"
"""Connections of one process: several share a Postgres that takes a hundred."""


@dataclass
class OwnServers:
    """`servers` that answer and `workers` that carry runs; without workers, the servers carry them."""

    home: Path
    dsn: str
    systems: Mapping[str, str]
    servers: int
    workers: int
    ports: list[int] = field(default_factory=list)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    arguments: Sequence[str] = ()
    """Of every process, behind its own."""
    environment: dict[str, str] = field(default_factory=dict)
    """Of every process, over what all have."""

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def start(self, registry: Path) -> None:
        """Have all of them serve this registry. Raises `ConfigurationError` with the log of one that does not start."""
        carries = () if self.workers == 0 else ("--no-worker",)
        self.ports = self.ports or [free_port() for _ in range(self.servers)]
        commands = [["serve", "--port", str(port), *carries] for port in self.ports] + [["worker"]] * self.workers
        logs = [self._run(command, registry) for command in commands]
        for url, log, process in zip(self.urls, logs, self.running, strict=False):
            wait_until_up(url, process, log, seconds=_START_S)

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(timeout=_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
        self.running.clear()

    async def make_key(self, name: str, roles: Sequence[str], approves: Sequence[str] = ()) -> str:
        settings = read_settings(DATABASE_URL=self.dsn, home=self.home)
        with of_tenant(LOCAL.tenant):
            async with open_database(settings, lambda _: None) as database, database.transaction() as conn:
                return await create_key(conn, name, list(roles), list(approves))

    def _run(self, command: Sequence[str], registry: Path) -> Path:
        log = self.home / f"{command[0]}-{secrets.token_hex(3)}.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEHOUSE_")}
        ours = {
            "DATABASE_URL": self.dsn,
            "GATEHOUSE_HOME": str(self.home),
            "GATEHOUSE_REGISTRY": str(registry),
            "GATEHOUSE_SYSTEMS": json.dumps(dict(self.systems)),
            "GATEHOUSE_POOL_SIZE": _POOL,
            "GATEHOUSE_SWEEP_EVERY_S": "0.5",
        }
        with log.open("w") as file:
            arguments = [sys.executable, "-m", "cli", *command, *self.arguments]
            self.running.append(
                subprocess.Popen(arguments, env=inherited | ours | self.environment, stdout=file, stderr=file)
            )
        return log


@contextmanager
def own_servers(
    systems: Mapping[str, str],
    *,
    servers: int,
    workers: int,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[OwnServers]:
    """None of them runs yet: `start` them. Their Postgres runs already."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-own-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # for the unprivileged user of the embedded Postgres
        home = Path(folder) / "home"
        dsn = embedded.start(home, notify=lambda _: None).dsn
        own = OwnServers(home, dsn, systems, servers, workers, arguments=arguments, environment=dict(environment or {}))
        try:
            yield own
        finally:
            own.stop()
            embedded.stop(home)


def wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path, *, seconds: float) -> None:
    """Until a server answers. Raises `ConfigurationError` with the end of its log when it does not."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{url}/ok", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise ConfigurationError(f"The server did not start:\n{log.read_text()[-2000:]}")
