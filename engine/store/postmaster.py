"""The server process of the embedded PostgreSQL: find it, launch it so that it outlives us, end it."""

import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import StoreUnavailable
from engine.store.postgres_binaries import Binaries, run
from engine.store.postgres_cluster import Cluster, private

PORT_TAKEN = "could not create any TCP/IP sockets"
_STOP_TIMEOUT_S = 60
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "lc_messages": "C",  # we look for words in the log
    "log_destination": "stderr",
    "logging_collector": "off",
    # Keeps a line (and data) per failed statement, and one per checkpoint, out of a log that nobody rotates.
    "log_min_messages": "log",
    "log_checkpoints": "off",
}


@dataclass(frozen=True)
class Postmaster:
    pid: int
    port: int


def find(data: Path) -> Postmaster | None:
    """The live server of this folder; None if the pid file is missing, cut off, or names a process that is another."""
    lines = _pid_lines(data)
    if len(lines) < 4 or not lines[3].isdigit() or not is_running(int(lines[0]), data):
        return None
    return Postmaster(int(lines[0]), int(lines[3]))


def is_running(pid: int, data: Path) -> bool:
    """Whether `pid` is a process started on this folder; a zombie is not, and neither is a stranger with the number."""
    return b" -D %b " % os.fsencode(data) in _command_line(pid) + b" "


def is_ready(server: Postmaster, data: Path) -> bool:
    """Whether the server says of itself that it takes connections; before, its port may be another program's."""
    lines = _pid_lines(data)
    return len(lines) >= 8 and int(lines[0]) == server.pid and lines[7].strip() == "ready"


def launch(cluster: Cluster, programs: Binaries, port: int, in_use: int) -> Postmaster:
    """Start the server detached and return at once; it and its backends hold the file descriptor `in_use` open."""
    settings = [f"--{name}={value}" for name, value in {**_SETTINGS, "port": str(port)}.items()]
    server: list[str | Path] = [programs.folder / "postgres", "-D", cluster.data, *settings]
    with open(cluster.log, "wb", opener=private) as log:
        # The shell ends at once: the server is no child of ours, and leaves no zombie when it dies before us.
        started = run(
            ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *server],
            cluster.account,
            log=log,
            keep_fds=[in_use],
            variables=_stale_pid(cluster.data),
        )
    return Postmaster(int(started.stdout), port)


def stop(server: Postmaster, data: Path) -> None:
    """Shut down cleanly (open transactions are rolled back, clients disconnected) and wait for the end."""
    os.kill(server.pid, signal.SIGINT)
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while is_running(server.pid, data):
        if time.monotonic() > deadline:
            raise StoreUnavailable(
                f"PostgreSQL (process {server.pid}) in {str(data)!r} did not shut down within {_STOP_TIMEOUT_S} s",
                hint="Look into postgres.log; it goes on shutting down.",
            )
        time.sleep(0.02)


def free_port(preferred: int | None) -> int:
    """`preferred` if nobody listens there, else a port that the system picks; it may be taken a moment later."""
    for port in (preferred or 0, 0):
        with socket.socket() as probe:
            # As PostgreSQL does: else connections of the server before, not yet forgotten, would block the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                probe.listen()
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StoreUnavailable("No port is free on 127.0.0.1 for the embedded PostgreSQL", hint="End some programs.")


def _pid_lines(data: Path) -> list[str]:
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return lines if lines and lines[0].isdigit() else []


def _stale_pid(data: Path) -> dict[str, str]:
    lines = _pid_lines(data)
    if not lines or _is_postgres(int(lines[0])):
        return {}
    # After a restart of a container the old pid is often somebody else's, and PostgreSQL would refuse to start.
    # This variable (pg_ctl uses it too) makes it pass over that pid; its check of the shared memory stays.
    return {"PG_GRANDPARENT_PID": lines[0]}


def _is_postgres(pid: int) -> bool:
    program = _command_line(pid).partition(b" -D ")[0]
    return os.path.basename(program).startswith((b"postgres", b"postmaster"))


def _command_line(pid: int) -> bytes:
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        except (FileNotFoundError, ProcessLookupError):
            return b""
    return run(["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], None).stdout.strip().encode()
