"""Identity providers that are trusted: their keys, fetched when they change, and what their claims mean."""

import asyncio
import logging
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, Field, field_validator

from contracts.errors import IssuerUnavailable, Unauthenticated
from engine.access.addresses import is_loopback
from engine.access.tokens import Claims, Expected, key_set, read_unverified, refused, verify

_LOG = logging.getLogger("gatehouse.access")
_FRESH_S = 600.0
"""After so long the keys are fetched again, so that one that was withdrawn is not trusted for ever."""
_STALE_S = 3600.0
"""So long keys are used at most while their issuer does not answer."""
_PAUSE_S = 10.0
"""Between two fetches because of a key that is not known: anybody can name one."""
_PATIENCE_S = 5.0
_TAKEN = {"key", "local", "agent", "policy", "system", "server", "sender", "hook"}


class IssuerSettings(BaseModel):
    """An identity provider, and where in its tokens stands who somebody is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("oidc", pattern=r"^[a-z][a-z0-9-]{0,30}$")
    """Begins the names of its people, as in `oidc:ada`."""
    issuer: str
    audience: str
    jwks_uri: str = ""
    """Where its keys are; empty: as its discovery document says."""
    tenant: str = ""
    """The tenant of all its people; empty: as `tenant_claim` says."""
    tenant_claim: str = ""
    tenants: tuple[str, ...] = ()
    """For which tenants it may speak; empty: for any."""
    subject_claim: str = "sub"
    roles_claim: str = "roles"
    """A list or words; dots lead into objects, as in `realm_access.roles`."""
    roles: dict[str, str] = {}
    """Our role for each of theirs; roles that are named as ours need no entry."""
    approves_claim: str = ""
    """Where the roles of approval policies stand, such as `finance`."""
    scopes_claim: str = ""
    """Where the scopes of tools stand that calls in a person's name may use; empty: no limit."""

    @field_validator("name")
    @classmethod
    def _free(cls, value: str) -> str:
        if value in _TAKEN:
            raise ValueError(f"{value!r} names something else in records")
        return value

    @field_validator("issuer", "jwks_uri")
    @classmethod
    def _safe(cls, value: str) -> str:
        if value and not _trusted_way(value):
            raise ValueError("keys are fetched by https only, but on this machine")
        return value


@dataclass
class _Keys:
    """The keys of one issuer as they were when they were fetched."""

    found: KeySet | None = None
    fetched_at: float = float("-inf")
    tried_at: float = float("-inf")
    failure: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Issuers:
    """Checks tokens of the configured issuers; their keys are fetched by `http`."""

    def __init__(
        self, issuers: Sequence[IssuerSettings], http: httpx.AsyncClient, *, pause_s: float = _PAUSE_S
    ) -> None:
        self._pause_s = pause_s
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = {issuer.issuer: _Keys() for issuer in issuers}
        self._http = http

    def __bool__(self) -> bool:
        return bool(self._issuers)

    async def verified(self, token: str) -> tuple[IssuerSettings, Claims]:
        """Who issued a token, and its claims. Raises `Unauthenticated`, `IssuerUnavailable` where nobody can say."""
        unread = read_unverified(token)
        issuer = self._issuers.get(unread.issuer)
        if issuer is None:
            raise refused("its issuer is not trusted here")
        keys = await self._keys_for(issuer, unread.key_id)
        return issuer, verify(token, keys, Expected(issuer.issuer, issuer.audience))

    async def _keys_for(self, issuer: IssuerSettings, key_id: str) -> KeySet:
        kept = self._keys[issuer.issuer]
        if not _enough(kept, key_id):
            async with kept.lock:  # those who come meanwhile wait for the one fetch
                if not _enough(kept, key_id) and time.monotonic() - kept.tried_at > self._pause_s:
                    await self._fetch(issuer, kept)
        too_old = time.monotonic() - kept.fetched_at > _STALE_S
        if kept.found is None or too_old or (kept.failure and not _knows(kept, key_id)):
            raise IssuerUnavailable(
                f"The keys of the issuer {issuer.name!r} cannot be had: {kept.failure or 'it was just asked'}.",
                hint="Try again in a few seconds; API keys work meanwhile.",
                facts={"retry_after_s": math.ceil(self._pause_s)},
            )
        if not _knows(kept, key_id):
            raise refused("its issuer has no such key")
        return kept.found

    async def _fetch(self, issuer: IssuerSettings, kept: _Keys) -> None:
        kept.tried_at = time.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                kept.found = key_set(await self._document(await self._address(issuer)))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            kept.failure = f"{type(error).__name__} {str(error)[:100]}".strip()
            _LOG.warning("The keys of the issuer %s cannot be fetched: %s", issuer.name, kept.failure)
        else:
            kept.fetched_at, kept.failure = kept.tried_at, ""

    async def _address(self, issuer: IssuerSettings) -> str:
        if issuer.jwks_uri:
            return issuer.jwks_uri
        found = await self._document(issuer.issuer.rstrip("/") + "/.well-known/openid-configuration")
        said, address = found.get("issuer"), found.get("jwks_uri")
        if said != issuer.issuer or not isinstance(address, str) or not _trusted_way(address):
            raise ValueError("its discovery document is another issuer's, or leads to keys without https")
        return address

    async def _document(self, address: str) -> dict[str, Any]:
        reply = await self._http.get(address, follow_redirects=False)
        reply.raise_for_status()
        found = reply.json()
        if not isinstance(found, dict):
            raise ValueError("it answers with something else than a document")
        return found


def words_at(claims: Claims, path: str) -> list[str]:
    """The words at a place in claims, which may be a list or text with spaces; none where the place is empty."""
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, str):
        return value.split()
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def tenant_in(issuer: IssuerSettings, claims: Claims) -> str:
    """The tenant that a token speaks for. Raises `Unauthenticated` where it names none, or one it may not."""
    named = words_at(claims, issuer.tenant_claim) if issuer.tenant_claim else [issuer.tenant]
    if len(named) != 1 or not re.fullmatch(r"[\w.:-]{1,100}", named[0]):
        raise refused("it does not name one tenant")
    if issuer.tenants and named[0] not in issuer.tenants:
        raise Unauthenticated("The token is not accepted: its issuer may not speak for that tenant.")
    return named[0]


def _enough(kept: _Keys, key_id: str) -> bool:
    return _knows(kept, key_id) and time.monotonic() - kept.fetched_at <= _FRESH_S


def _knows(kept: _Keys, key_id: str) -> bool:
    return kept.found is not None and any(key.kid == key_id for key in kept.found.keys)


def _trusted_way(address: str) -> bool:
    parts = urlsplit(address)
    host = parts.hostname or ""
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))
