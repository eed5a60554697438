"""The lock file: what each tool of an MCP server was when a person looked at it, by SHA-256."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from contracts.errors import ConfigurationError

LOCK = "gatehouse.lock"
"""Beside langgraph.json."""
_SERVERS = "servers"


@dataclass(frozen=True)
class Pinned:
    """One server as it was pinned: its address, and the digest of each tool that may be called."""

    address: str
    tools: Mapping[str, str]


def digest_of(name: str, said: Mapping[str, Any]) -> str:
    """SHA-256 over everything that a server says of a tool: one changed character is another digest."""
    return hashlib.sha256(rfc8785.dumps({"name": name, **said})).hexdigest()


def read_lock(path: Path) -> dict[str, Any]:
    """The lock file's members, none where there is no file. Raises `ConfigurationError`."""
    if not path.exists():
        return {}
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        said = f"{path.name} cannot be read: {error}."
        raise ConfigurationError(said, hint="Bring it back from version control.") from None
    if not isinstance(said, dict):
        raise ConfigurationError(f"{path.name} is no JSON object.")
    return said


def write_lock(path: Path, members: Mapping[str, Any]) -> None:
    """Keep the members, in one order, so that version control shows what has changed."""
    path.write_text(json.dumps(members, indent=2, sort_keys=True) + "\n")


def pinned(path: Path, system: str) -> Pinned | None:
    """The server of a system as it was pinned."""
    found = read_lock(path).get(_SERVERS, {}).get(system)
    return Pinned(str(found["address"]), dict(found["tools"])) if found else None


def pin(path: Path, system: str, server: Pinned) -> None:
    """From now on these tools are called while they are what they are now."""
    members = read_lock(path)
    servers = {**members.get(_SERVERS, {}), system: {"address": server.address, "tools": dict(server.tools)}}
    write_lock(path, {**members, _SERVERS: servers})
