"""This machine: Python, the data folder and its files, disk space, ports."""

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from engine.operations.doctor.finding import Finding
from engine.settings import Settings

_OLDEST = (3, 11)
_GIB = 2**30
_FREE_WARN, _FREE_FAIL = 2 * _GIB, _GIB // 4
_PRIVATE = ("seal.key", "webhook.secret", "postgres.password")
_TIME_S = 2.0
_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  # what somebody may have configured, not what we listen on


def examine_machine(settings: Settings) -> Iterator[Finding]:
    """What this machine offers."""
    yield _python()
    if _needs_folder(settings):
        yield from _folder(settings.home)
        yield _disk(settings.home)
    else:
        yield Finding("data folder", "ok", "None is needed: the database and both secrets are given.")
    yield _port("port", settings.host, settings.port)
    if settings.metrics_port is not None:
        yield _port("metrics port", settings.host, settings.metrics_port)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST:
        return Finding("python", "fail", f"Python {version}.", "Install Python 3.11 or newer.")
    return Finding("python", "ok", f"Python {version}.")


def _needs_folder(settings: Settings) -> bool:
    """Whether something that is not configured is kept there."""
    secrets = (settings.seal_key, settings.webhook_secret)
    return settings.database_url is None or not all(secret.get_secret_value() for secret in secrets)


def _folder(home: Path) -> Iterator[Finding]:
    there = _existing(home)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        do = "Give it to the user who runs Gatehouse, or set GATEHOUSE_HOME."
        yield Finding("data folder", "fail", f"{home} cannot be written by this user.", do)
        return
    if there != home:
        yield Finding("data folder", "ok", f"{home} is made at the first start.")
        return
    open_files = [name for name in _PRIVATE if (home / name).exists() and (home / name).stat().st_mode & 0o077]
    if open_files:
        do = f"chmod 600 {' '.join(str(home / name) for name in open_files)}"
        yield Finding("data folder", "fail", f"Others can read {', '.join(open_files)} in {home}.", do)
    else:
        yield Finding("data folder", "ok", f"{home}, its secrets readable by its owner alone.")


def _disk(home: Path) -> Finding:
    there = _existing(home)
    free = shutil.disk_usage(there).free
    says = f"{free / _GIB:.1f} GiB are free on the disk of {there}."
    if free < _FREE_WARN:
        do = "Make room: a database without space stops, and every run with it."
        return Finding("disk", "fail" if free < _FREE_FAIL else "warn", says, do)
    return Finding("disk", "ok", says)


def _existing(home: Path) -> Path:
    """The folder, or the nearest above it that there is."""
    return next(folder for folder in (home, *home.absolute().parents) if folder.exists())


def _port(check: str, host: str, port: int) -> Finding:
    where = f"{host}:{port}"
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return _taken(check, host, port, error)
    return Finding(check, "ok", f"{where} is free.")


def _taken(check: str, host: str, port: int, error: OSError) -> Finding:
    where = f"{host}:{port}"
    asked = "127.0.0.1" if host in _EVERYWHERE else host
    try:
        ours = httpx.get(f"http://{asked}:{port}/health/live", timeout=_TIME_S).json() == {"live": True}
    except (httpx.HTTPError, ValueError):
        ours = False
    if ours:
        return Finding(check, "ok", f"Gatehouse listens on {where}.")
    do = "End the program that has it, or set GATEHOUSE_HOST, GATEHOUSE_PORT or GATEHOUSE_METRICS_PORT."
    return Finding(check, "fail", f"{where} cannot be listened on: {error.strerror}.", do)
