"""Keeps an eval off the network: the interpreter itself refuses every connection but those to the given database."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from psycopg.conninfo import conninfo_to_dict

_CONNECTS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_RESOLVES = ("socket.getaddrinfo", "socket.gethostbyname")


@dataclass
class Watch:
    """What may be connected to, and what was tried all the same."""

    database: frozenset[str]
    """Hosts of the database."""
    ports: frozenset[int]
    tried: list[str] = field(default_factory=list)

    def allows(self, event: str, args: tuple[Any, ...]) -> bool:
        """Whether the audit event `event` of the interpreter stays on this machine or goes to the database."""
        if event in _RESOLVES:
            return args[0] is None or str(args[0]) in self.database or _is_number(str(args[0]))
        address = args[-1]
        if not isinstance(address, tuple):  # a socket in the file system, or a pair that is connected already
            return True
        return str(address[0]) in self.database and address[1] in self.ports


_watches: list[Watch] = []
_hooked: list[bool] = []


@contextmanager
def offline(dsn: str) -> Iterator[Watch]:
    """Inside, whoever opens a connection gets a `ConnectionRefusedError`, and the try is in `Watch.tried`.

    Seen is what Python's sockets do; libpq's own are the database's. `dsn` may be empty: then nothing is let through.
    """
    if not _hooked:  # a hook of the interpreter cannot be taken out again
        sys.addaudithook(_look)
        _hooked.append(True)
    said = conninfo_to_dict(dsn) if dsn else {}
    hosts = str(said.get("host") or said.get("hostaddr") or "").split(",")
    ports = str(said.get("port") or 5432).split(",")
    watch = Watch(frozenset(filter(None, hosts)), frozenset(map(int, ports)))
    _watches.append(watch)
    try:
        yield watch
    finally:
        _watches.remove(watch)


def _is_number(host: str) -> bool:
    """Whether nobody has to be asked what it means."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _look(event: str, args: tuple[Any, ...]) -> None:
    if not _watches or not event.startswith("socket."):
        return
    if event not in _CONNECTS and event not in _RESOLVES:
        return
    watch = _watches[-1]
    if not watch.allows(event, args):
        where = ":".join(map(str, args[-1])) if isinstance(args[-1], tuple) else str(args[0])
        watch.tried.append(where)
        raise ConnectionRefusedError(f"Nothing of an eval goes over a network, and something asked for {where}.")
