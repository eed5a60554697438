"""A token for each request to an outside system: who asked, which agent acts, and exactly what it may do, once."""

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc.jwk import KeySet, OKPKey

from contracts.tool import AnyTool
from engine.access.tokens import Claims, read_own, refused, sign
from engine.store.keyfile import key_of, read_or_make

LIFE_S = 60
KIND = "capability+jwt"
DETAIL = "gatehouse_tool_call"


@dataclass(frozen=True)
class OnBehalf:
    """A ledger row, as far as outside systems are told of it."""

    requester: str
    tenant: str
    actor: str
    version: str
    run_id: str
    call_key: str
    digest: str
    """Digest of the action that was approved, of the arguments for what needs no approval."""


class Mint:
    """Signs capabilities with an Ed25519 key that `issuer` publishes."""

    def __init__(self, key: OKPKey, issuer: str, older: Sequence[OKPKey] = ()) -> None:
        self._key = key
        self._issuer = issuer
        self._published = (key, *older)

    def capability(self, behalf: OnBehalf, tool: AnyTool, request: httpx.Request, *, writes: bool) -> str:
        """For one request, as it stands: another path, body or tool is another capability."""
        done = {
            "type": DETAIL,
            "actions": ["write" if writes else "read"],
            "action_digest": behalf.digest,
            "method": request.method,
            "path": request.url.raw_path.decode(),
            "body_sha256": hashlib.sha256(request.content).hexdigest(),
        }
        claims = self._claims(behalf, audience=f"{tool.name}@{tool.version}")
        claims |= {"scope": " ".join(tool.scopes), "authorization_details": [done]}
        return sign(claims, self._key, kind=KIND)

    def subject(self, behalf: OnBehalf, *, audience: str) -> str:
        """Who asks and who acts, for an authorisation server that exchanges it for a token of its own."""
        return sign(self._claims(behalf, audience=audience), self._key, kind="JWT")

    def published(self) -> dict[str, Any]:
        """The public keys, as outside systems look them up."""
        return {"keys": [key.as_dict(private=False) | {"use": "sig", "alg": "Ed25519"} for key in self._published]}

    def read(self, token: str) -> Claims:
        """What one of our own capabilities says. Raises `Unauthenticated`, also for one that is over."""
        claims = read_own(token, KeySet([*self._published]))
        if claims.get("iss") != self._issuer or not isinstance(claims.get("tenant"), str):
            raise refused("it is no capability of this server")
        return claims

    def _claims(self, behalf: OnBehalf, *, audience: str) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self._issuer,
            "sub": behalf.requester,
            "act": {"sub": f"{behalf.actor}@{behalf.version}"},
            "aud": audience,
            "txn": behalf.run_id,
            "tenant": behalf.tenant,
            "jti": f"{token_family(behalf.call_key)}.{secrets.token_hex(8)}",
            "iat": now,
            "exp": now + LIFE_S,
        }


def token_family(call_key: str) -> str:
    """How the ids of all tokens of one ledger row begin."""
    return hashlib.sha256(call_key.encode()).hexdigest()[:16]


def mint_of(seed: str, home: Path, issuer: str, older: Sequence[str] = ()) -> Mint:
    """The mint with the key of `seed`, else of the one kept in `home`; `older` public keys are published beside it.

    Raises `ConfigurationError`.
    """
    text = seed or read_or_make(home / "capability.key", bytes.hex, instead="GATEHOUSE_CAPABILITY_KEY")
    key = _private(key_of(text, "GATEHOUSE_CAPABILITY_KEY" if seed else str(home / "capability.key")))
    return Mint(key, issuer, [_public(key_of(each, "GATEHOUSE_CAPABILITY_OLD_KEYS")) for each in older])


def _private(seed: bytes) -> OKPKey:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return _named(OKPKey.import_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())))


def _public(point: bytes) -> OKPKey:
    key = Ed25519PublicKey.from_public_bytes(point)
    return _named(OKPKey.import_key(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)))


def _named(key: OKPKey) -> OKPKey:
    key.ensure_kid()
    return key
