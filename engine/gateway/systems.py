"""Where the outside systems are: one HTTP client for each, made at first use."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx
from pydantic import SecretStr

from contracts.errors import ConfigurationError, ToolUnavailable
from engine.credentials.references import reveal
from engine.gateway.credentials import Credentials
from engine.mcp_servers.pins import pinned
from engine.mcp_servers.servers import is_mcp


class Systems:
    """Clients by system name, made from `addresses` (`https://…`) at first use."""

    def __init__(
        self, addresses: Mapping[str, str], tokens: Mapping[str, SecretStr], credentials: Credentials | None = None
    ) -> None:
        """`tokens` may be references to secrets. `credentials` are put on every request; without them a system hears
        nothing of who asks.
        """
        self.credentials = credentials
        self.lock: Path | None = None
        """Where tools of MCP servers are pinned; without it none is called."""
        self._addresses = dict(addresses)
        self._tokens = dict(tokens)
        self._clients: dict[str, httpx.AsyncClient] = {}

    def client(self, system: str) -> httpx.AsyncClient:
        """Raises `ToolUnavailable` for a system without an address."""
        if system not in self._clients:
            self._clients[system] = self._connect(system)
        return self._clients[system]

    def use(self, system: str, client: httpx.AsyncClient) -> None:
        """Reach `system` through this client: sandbox, evals and tests hand in their worlds so."""
        self._clients[system] = client

    def address(self, system: str) -> str:
        """Raises `ToolUnavailable` for a system without an address."""
        address = self._addresses.get(system)
        if address is None:
            raise ToolUnavailable(
                f"No address is configured for the system {system!r}.",
                hint=f'Set GATEHOUSE_SYSTEMS=\'{{"{system}": "https://…"}}\', or use --sandbox.',
            )
        return address

    def speaks_mcp(self, system: str) -> bool:
        """Whether the system is an MCP server."""
        return system not in self._clients and is_mcp(self._addresses.get(system, ""))

    def pinned_tools(self, system: str) -> Mapping[str, str]:
        """The digest of each tool of an MCP server that a person has looked at; read anew each time."""
        found = pinned(self.lock, system) if self.lock else None
        return found.tools if found else {}

    def token(self, system: str) -> str | None:
        """The system's token as it is now: one that was exchanged counts at once. Raises `ToolUnavailable`."""
        if system not in self._tokens:
            return None
        try:
            return reveal(self._tokens[system])
        except ConfigurationError as error:
            said = f"Nothing was sent to {system!r}, for its token is missing. {error.detail}"
            raise ToolUnavailable(said, hint=error.hint) from None

    async def close(self) -> None:
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))

    def _connect(self, system: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.address(system))
