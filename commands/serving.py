"""`serve` and `worker`."""

import asyncio
import contextlib
import logging
import signal
import socket
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
import uvicorn

from api.watched import watched
from commands.sandbox import sandbox_clients, sandbox_recordings
from commands.terminal import explained
from engine.settings import Settings, read_settings
from engine.traces.logs import set_up_logs
from engine.wiring import open_engine, running_worker
from server import build

_LOG = logging.getLogger("gatehouse.process")
_COULD_NOT_START = 3
# Our own log lines take the place of uvicorn's: they carry ids, and its access lines would carry whole addresses.
_PLAIN: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False}

Sandbox = Annotated[bool, typer.Option("--sandbox", help="Use the built-in fakes of the outside systems.")]
Worlds = Annotated[Path | None, typer.Option(help="SQLite file of the sandbox; default: in the data folder.")]


@explained
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [2024].")] = None,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Only answer; workers carry the runs.")] = False,
    sandbox: Sandbox = False,
    worlds: Worlds = None,
) -> None:
    """Serve the HTTP API, and carry runs unless --no-worker."""
    given = {"host": host, "port": port, "worker": False if no_worker else None}
    settings = _settings({name: value for name, value in given.items() if value is not None}, sandbox)
    set_up_logs(settings.log_format, settings.log_level, secrets=settings.secrets().values())
    app = build(settings, _clients(settings, sandbox, worlds))
    config = uvicorn.Config(app, host=settings.host, port=settings.port, timeout_graceful_shutdown=10, **_PLAIN)
    server = uvicorn.Server(config)
    # The port is taken first: a process that cannot have it shall neither migrate nor carry a run before it ends.
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[config.bind_socket()])
    if not server.started:
        raise typer.Exit(_COULD_NOT_START)


@explained
def worker(sandbox: Sandbox = False, worlds: Worlds = None) -> None:
    """Carry runs. Any number of workers share one database; SIGTERM drains."""
    settings = _settings({}, sandbox)
    set_up_logs(settings.log_format, settings.log_level, secrets=settings.secrets().values())
    asyncio.run(_work(settings, _clients(settings, sandbox, worlds)))


async def _work(settings: Settings, clients: dict[str, httpx.AsyncClient]) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with open_engine(settings, notify=_LOG.info) as engine:
        for system, client in clients.items():
            engine.carrier.systems.use(system, client)
        async with watched(engine), running_worker(engine) as running:
            _LOG.info("The worker is ready.")
            ends = [asyncio.create_task(stop.wait()), asyncio.create_task(running.wait())]
            done, waiting = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            for task in done:
                task.result()
            _LOG.info("Draining ...")


def _settings(given: dict[str, object], sandbox: bool) -> Settings:
    settings = read_settings(**given)
    if sandbox and not settings.recordings:
        return settings.model_copy(update={"recordings": sandbox_recordings()})
    return settings


def _clients(settings: Settings, sandbox: bool, worlds: Path | None) -> dict[str, httpx.AsyncClient]:
    if not sandbox:
        if not settings.systems:
            _LOG.warning("No outside systems are configured (GATEHOUSE_SYSTEMS); tools will fail. Try --sandbox.")
        return {}
    settings.home.mkdir(parents=True, exist_ok=True)
    return sandbox_clients(worlds or settings.home / "worlds.sqlite")


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
