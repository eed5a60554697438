"""Where the outside systems are: one HTTP client for each, made at first use."""

import asyncio
from collections.abc import Mapping

import httpx
from pydantic import SecretStr

from contracts.errors import ConfigurationError, ToolUnavailable
from engine.credentials.references import reveal
from engine.gateway.credentials import Credentials


class Systems:
    """Clients by system name, made from `addresses` (`https://…`) at first use."""

    def __init__(
        self, addresses: Mapping[str, str], tokens: Mapping[str, SecretStr], credentials: Credentials | None = None
    ) -> None:
        """`tokens` may be references to secrets. `credentials` are put on every request; without them a system hears
        nothing of who asks.
        """
        self.credentials = credentials
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
        address = self._addresses.get(system)
        if address is None:
            raise ToolUnavailable(
                f"No address is configured for the system {system!r}.",
                hint=f'Set GATEHOUSE_SYSTEMS=\'{{"{system}": "https://…"}}\', or use --sandbox.',
            )
        return httpx.AsyncClient(base_url=address)
