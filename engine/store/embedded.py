"""The PostgreSQL that Gatehouse brings along: one server per data folder, shared by whoever starts it."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psycopg

from contracts.errors import ConfigurationError, DataFolderRefused, StoreUnavailable
from engine.store import postgres_cluster, postmaster
from engine.store.postgres_binaries import Binaries, find_binaries, reachable_binaries
from engine.store.postgres_cluster import DATABASE, Cluster, private
from engine.store.postmaster import Postmaster

_READY_TIMEOUT_S = 60
_LEFTOVERS_TIMEOUT_S = 20
_PORT_ATTEMPTS = 5
_POLL_S = 0.02


@dataclass(frozen=True)
class EmbeddedPostgres:
    """`run_as` is None where the server runs as ourselves."""

    dsn: str = field(repr=False)  # holds the password
    data: Path
    started_by_us: bool
    run_as: str | None
    version: str


def start(home: Path, *, notify: Callable[[str], None]) -> EmbeddedPostgres:
    """Have a server run on the cluster of `home`: attach to the live one, else start it, creating what is missing.

    The server outlives this process. Repeatable, from any number of processes at once; `notify` gets each surprise as
    a sentence. Raises DataFolderRefused (nothing was changed), ConfigurationError or StoreUnavailable.
    """
    home = home.expanduser().resolve()
    with _explained(home):
        home.mkdir(parents=True, exist_ok=True)
        with _locked(home):
            found = find_binaries()
            cluster = postgres_cluster.locate(home)
            exists = postgres_cluster.check(cluster, found)
            with open(cluster.in_use_file, "a", opener=private) as in_use:
                attached = _attach(cluster, in_use)
                programs = found if attached else _prepare(cluster, found, exists, notify)
                server, version = attached or _launch(cluster, programs, in_use)
    run_as = cluster.account.name if cluster.account else None
    return EmbeddedPostgres(cluster.dsn(server.port), cluster.data, attached is None, run_as, version)


def exists(home: Path) -> bool:
    """Whether `start` would find a cluster of `home`; changes nothing. Raises DataFolderRefused, ConfigurationError."""
    home = home.expanduser().resolve()
    with _explained(home):
        return home.is_dir() and (postgres_cluster.locate(home).data / "PG_VERSION").exists()


def stop(home: Path) -> None:
    """Shut the server of `home` down cleanly, whoever started it; does nothing if none runs."""
    home = home.expanduser().resolve()
    if not home.is_dir():
        return
    with _explained(home), _locked(home):
        data = postgres_cluster.locate(home).data
        server = postmaster.find(data)
        if server:
            postmaster.stop(server, data)


@contextmanager
def _explained(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"The embedded PostgreSQL in {str(home)!r} cannot be used: {error}",
            hint="Run as the user who owns that folder, choose another data folder, or set DATABASE_URL.",
        ) from error


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    with open(home / "postgres.lock", "a", opener=private) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _attach(cluster: Cluster, in_use: IO[str]) -> tuple[Postmaster, str] | None:
    """The live server, once it answers, and its version; None if there is none, and then we hold the lock `in_use`.

    The server and its backends inherit that lock, so it also tells of backends that outlived a killed server, and of a
    server in another container, whose pids and shared memory we could not see.
    """
    deadline = time.monotonic() + _LEFTOVERS_TIMEOUT_S
    while True:
        server = postmaster.find(cluster.data)
        if server and (version := _wait_for_answer(cluster, server)):
            return server, version
        try:
            fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise StoreUnavailable(
                    f"Processes of an earlier PostgreSQL, or one in another container, still use {str(cluster.data)!r} "
                    f"after {_LEFTOVERS_TIMEOUT_S} s; two servers on one folder would destroy it",
                    hint="End the remaining postgres processes of that folder, or set DATABASE_URL.",
                ) from error
        else:
            return None
        time.sleep(_POLL_S)


def _prepare(cluster: Cluster, found: Binaries, exists: bool, notify: Callable[[str], None]) -> Binaries:
    if cluster.account:
        notify(f"PostgreSQL refuses to run as root: it runs as user {cluster.account.name!r}")
    if not exists:
        postgres_cluster.prepare_place(cluster, notify)
    programs = reachable_binaries(found, cluster.account, cluster.data.parent, notify)
    if not exists:
        postgres_cluster.create(cluster, programs, notify)
    postgres_cluster.adopt(cluster)
    return programs


def _launch(cluster: Cluster, programs: Binaries, in_use: IO[str]) -> tuple[Postmaster, str]:
    if cluster.log.exists():
        cluster.log.replace(cluster.log.with_suffix(".log.1"))
    last_port = postgres_cluster.read(cluster.port_file)
    preferred = int(last_port) if last_port.isdigit() else None
    for _ in range(_PORT_ATTEMPTS):
        server = postmaster.launch(cluster, programs, postmaster.free_port(preferred), in_use.fileno())
        if version := _wait_for_answer(cluster, server):
            postgres_cluster.write_private(cluster.port_file, str(server.port))
            return server, version
        log = cluster.log.read_text(encoding="utf-8", errors="replace")
        if postmaster.PORT_TAKEN not in log:
            raise _explain_end(cluster, programs, log)
        preferred = None
    raise StoreUnavailable(
        f"{_PORT_ATTEMPTS} ports in a row were taken on 127.0.0.1 before PostgreSQL could listen there",
        hint="Start again; if that persists, look for a program that opens very many ports.",
    )


def _explain_end(cluster: Cluster, programs: Binaries, log: str) -> DataFolderRefused | StoreUnavailable:
    last_lines = "\n".join(log.splitlines()[-10:])
    detail = f"PostgreSQL {programs.version} on {str(cluster.data)!r} ended at its start; {str(cluster.log)!r} ends:"
    if "FATAL" in log or "PANIC" in log:
        return DataFolderRefused(
            f"{detail}\n{last_lines}",
            hint="Bring the folder back from a backup, or choose another one; we repair and delete nothing.",
        )
    return StoreUnavailable(
        f"{detail}\n{last_lines}",
        hint="It gave no reason, so somebody ended it, perhaps the system for want of memory: start again.",
    )


def _wait_for_answer(cluster: Cluster, server: Postmaster) -> str | None:
    """The server's version, once it serves our database; None if its process ended instead."""
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while postmaster.is_running(server.pid, cluster.data):
        if postmaster.is_ready(server, cluster.data) and (version := _open_database(cluster, server)):
            return version
        if time.monotonic() > deadline:
            raise StoreUnavailable(
                f"PostgreSQL (process {server.pid}) on {str(cluster.data)!r} does not take connections on port "
                f"{server.port} after {_READY_TIMEOUT_S} s",
                hint=f"It may be recovering from a crash: look into {str(cluster.log)!r} and start again.",
            )
        time.sleep(_POLL_S)
    return None


def _open_database(cluster: Cluster, server: Postmaster) -> str | None:
    """Log in and create our database if it is missing; None if the server went away meanwhile."""
    dsn = cluster.dsn(server.port, "postgres")
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as connection:
            known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute("CREATE DATABASE gatehouse")
            return str(connection.info.parameter_status("server_version")).split()[0]
    except psycopg.OperationalError as error:
        if not postmaster.is_ready(server, cluster.data) or not postmaster.is_running(server.pid, cluster.data):
            return None
        if "password authentication failed" in str(error):
            raise DataFolderRefused(
                f"PostgreSQL on {str(cluster.data)!r} refuses the password in {str(cluster.password_file)!r}",
                hint="Bring that file back from a backup, or choose another data folder.",
            ) from error
        raise StoreUnavailable(
            f"PostgreSQL (process {server.pid}) on {str(cluster.data)!r} runs, but does not serve us: {error}",
            hint="Look for PG* variables in the environment (PGSSLMODE, PGOPTIONS), a full disk, too many connections.",
        ) from error
