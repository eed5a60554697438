"""Tokens of other authorisation servers, had in exchange for who asks and who acts (RFC 8693), and kept a while."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr

from contracts.errors import ConfigurationError, ToolRefused, ToolUnavailable
from contracts.tool import AnyTool
from engine.credentials.references import reveal
from engine.gateway.capability import Mint, OnBehalf

_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_JWT = "urn:ietf:params:oauth:token-type:jwt"
_ACCESS = "urn:ietf:params:oauth:token-type:access_token"
_EARLY_S = 30.0
"""So long before its end a token is not used any more: the call has to arrive, too."""
_SHORT_S = 60.0
"""How long one counts whose life was not told."""
_KEPT = 1_000


class ExchangeSettings(BaseModel):
    """Where tokens for one system come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token_endpoint: str
    client_id: str
    client_secret: SecretStr
    audience: str = ""
    resource: str = ""
    scope: str = ""
    """Scopes to ask for; empty: those of the tool."""


@dataclass(frozen=True)
class _Kept:
    token: str
    until: float


class Exchanger:
    """Exchanges tokens for systems that are configured so, for each requester and agent apart."""

    def __init__(self, exchanges: Mapping[str, ExchangeSettings], mint: Mint, http: httpx.AsyncClient) -> None:
        self._exchanges = dict(exchanges)
        self._mint = mint
        self._http = http
        self._kept: dict[tuple[str, ...], _Kept] = {}
        self._locks: dict[tuple[str, ...], asyncio.Lock] = {}

    async def token(self, behalf: OnBehalf, tool: AnyTool) -> str | None:
        """The token for a tool's system, None where it needs none. Raises `ToolUnavailable`, `ToolRefused`."""
        known = self._exchanges.get(tool.system)
        if known is None:
            return None
        scope = known.scope or " ".join(tool.scopes)
        place = (tool.system, behalf.tenant, behalf.requester, behalf.actor, behalf.version, scope)
        async with self._locks.setdefault(place, asyncio.Lock()):  # many calls at once ask once
            kept = self._kept.get(place)
            if kept is None or time.monotonic() > kept.until:
                kept = self._kept[place] = await self._exchanged(known, behalf, scope)
                self._forget()
        return kept.token

    async def _exchanged(self, known: ExchangeSettings, behalf: OnBehalf, scope: str) -> _Kept:
        form = {
            "grant_type": _GRANT,
            "subject_token": self._mint.subject(behalf, audience=known.token_endpoint),
            "subject_token_type": _JWT,
            "requested_token_type": _ACCESS,
            "audience": known.audience,
            "resource": known.resource,
            "scope": scope,
        }
        try:
            secret = httpx.BasicAuth(known.client_id, reveal(known.client_secret))
        except ConfigurationError as error:
            raise ToolUnavailable(f"No token was asked for. {error.detail}", hint=error.hint) from None
        asked_at = time.monotonic()
        try:
            given = {name: value for name, value in form.items() if value}
            reply = await self._http.post(known.token_endpoint, data=given, auth=secret, follow_redirects=False)
        except httpx.HTTPError as error:
            raise ToolUnavailable(f"No token could be had for it: {type(error).__name__}.") from error
        return _answered(reply, asked_at)

    def _forget(self) -> None:
        if len(self._kept) > _KEPT:
            now = time.monotonic()
            for place in [place for place, kept in self._kept.items() if kept.until < now] or [next(iter(self._kept))]:
                del self._kept[place]
                if place in self._locks and not self._locks[place].locked():
                    del self._locks[place]


def _answered(reply: httpx.Response, asked_at: float) -> _Kept:
    if reply.status_code >= 500:
        raise ToolUnavailable(f"No token could be had for it: the token endpoint answered {reply.status_code}.")
    try:
        said = reply.json()
        token, life_s = said["access_token"], float(said.get("expires_in", _SHORT_S))
        kind = str(said.get("token_type", "")).lower()
        if reply.status_code != 200 or not isinstance(token, str) or kind != "bearer":
            raise ValueError("it is no bearer token")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # What the server says stays out of it: it may repeat what it was sent.
        raise ToolRefused(f"No token is given for it: the token endpoint answered {reply.status_code}.") from error
    return _Kept(token, asked_at + life_s - _EARLY_S)
