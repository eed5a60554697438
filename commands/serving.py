"""`serve` and `worker`."""

import asyncio
import logging
import signal
import socket
from pathlib import Path
from typing import Annotated

import httpx
import typer
import uvicorn

from commands.sandbox import sandbox_clients, sandbox_recordings
from commands.terminal import explained, note
from engine.settings import Settings, read_settings
from engine.wiring import open_engine, running_worker
from server import build

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
    _log()
    app = build(settings, _clients(settings, sandbox, worlds))
    note(f"Gatehouse listens on http://{settings.host}:{settings.port} (API: /docs)")
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", timeout_graceful_shutdown=10)


@explained
def worker(sandbox: Sandbox = False, worlds: Worlds = None) -> None:
    """Carry runs. Any number of workers share one database; SIGTERM drains."""
    settings = _settings({}, sandbox)
    _log()
    asyncio.run(_work(settings, _clients(settings, sandbox, worlds)))


async def _work(settings: Settings, clients: dict[str, httpx.AsyncClient]) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with open_engine(settings, notify=note) as engine:
        for system, client in clients.items():
            engine.carrier.systems.use(system, client)
        async with running_worker(engine) as running:
            note("The worker is ready.")
            ends = [asyncio.create_task(stop.wait()), asyncio.create_task(running.wait())]
            done, waiting = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            for task in done:
                task.result()
            note("Draining ...")


def _settings(given: dict[str, object], sandbox: bool) -> Settings:
    settings = read_settings(**given)
    if sandbox and not settings.recordings:
        return settings.model_copy(update={"recordings": sandbox_recordings()})
    return settings


def _clients(settings: Settings, sandbox: bool, worlds: Path | None) -> dict[str, httpx.AsyncClient]:
    if not sandbox:
        if not settings.systems:
            note("No outside systems are configured (GATEHOUSE_SYSTEMS); tools will fail. Try --sandbox.")
        return {}
    settings.home.mkdir(parents=True, exist_ok=True)
    return sandbox_clients(worlds or settings.home / "worlds.sqlite")


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("httpx", "procrastinate"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
