"""The lock file's other half: what each tool of an MCP server was when a person looked at it, by SHA-256."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from engine.catalog.lock import read_lock, write_lock

_SERVERS = "servers"


@dataclass(frozen=True)
class Pinned:
    """One server as it was pinned: its address, and the digest of each tool that may be called."""

    address: str
    tools: Mapping[str, str]


def digest_of(name: str, said: Mapping[str, Any]) -> str:
    """SHA-256 over everything that a server says of a tool: one changed character is another digest."""
    return hashlib.sha256(rfc8785.dumps({"name": name, **said})).hexdigest()


def pinned(path: Path, system: str) -> Pinned | None:
    """The server of a system as it was pinned."""
    found = read_lock(path).get(_SERVERS, {}).get(system)
    return Pinned(str(found["address"]), dict(found["tools"])) if found else None


def pin(path: Path, system: str, server: Pinned) -> None:
    """From now on these tools are called while they are what they are now."""
    members = read_lock(path)
    servers = {**members.get(_SERVERS, {}), system: {"address": server.address, "tools": dict(server.tools)}}
    write_lock(path, {**members, _SERVERS: servers})
