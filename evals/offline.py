"""Keeps an eval off the network: the interpreter refuses every connection but to its database and to given places."""

import socket
import sys
from collections.abc import Callable, Collection, Iterator
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

    hosts: frozenset[str]
    """Names and numbers of those that may be connected to."""
    places: set[tuple[str, int]]
    """Those with their ports; what a name was found to mean is added."""
    tried: list[str] = field(default_factory=list)

    def allows(self, event: str, args: tuple[Any, ...]) -> bool:
        """Whether the audit event `event` of the interpreter stays on this machine or goes to the database."""
        if event in _RESOLVES:
            return args[0] is None or str(args[0]) in self.hosts or _is_number(str(args[0]))
        address = args[-1]
        if not isinstance(address, tuple):  # a socket in the file system, or a pair that is connected already
            return True
        return (str(address[0]), address[1]) in self.places

    def resolving(self, resolve: Callable[..., Any]) -> Callable[..., Any]:
        """`socket.getaddrinfo`, noticing what the names of places that may be connected to mean."""

        def resolved(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
            found = resolve(host, port, *args, **kwargs)
            for *_, address in found:
                if (str(host), address[1]) in self.places:
                    self.places.add((str(address[0]), address[1]))
            return found

        return resolved


_watches: list[Watch] = []
_hooked: list[bool] = []


@contextmanager
def offline(dsn: str, places: Collection[tuple[str, int]] = ()) -> Iterator[Watch]:
    """Inside, whoever opens a connection gets a `ConnectionRefusedError`, and the try is in `Watch.tried`.

    Seen is what Python's sockets do; libpq's own are the database's. `dsn` may be empty: then nothing is let through
    but `places`, hosts with their ports.
    """
    if not _hooked:  # a hook of the interpreter cannot be taken out again
        sys.addaudithook(_look)
        _hooked.append(True)
    said = conninfo_to_dict(dsn) if dsn else {}
    hosts = str(said.get("host") or said.get("hostaddr") or "").split(",")
    ports = str(said.get("port") or 5432).split(",")
    known = {(host, int(port)) for host in filter(None, hosts) for port in ports} | set(places)
    watch, resolve = Watch(frozenset(host for host, _ in known), known), socket.getaddrinfo
    _watches.append(watch)
    if places:
        socket.getaddrinfo = watch.resolving(resolve)
    try:
        yield watch
    finally:
        socket.getaddrinfo = resolve
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
