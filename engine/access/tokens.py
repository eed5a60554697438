"""Signed tokens, read and written by one library behind one door: fixed algorithms, and claims that must be there."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, KeySetSerialization
from joserfc.jws import extract_compact
from joserfc.jwt import JWTClaimsRegistry
from pydantic import JsonValue

from contracts.errors import Unauthenticated

ALGORITHMS = ("Ed25519", "ES256", "PS256", "RS256")
"""Signatures by private keys only: with a shared secret, whoever can check a token could write it."""
LEEWAY_S = 10
_LONGEST = 16_384

Claims = Mapping[str, JsonValue]


@dataclass(frozen=True)
class Unread:
    """What a token says of itself before anything about it is known to be true."""

    issuer: str
    key_id: str


@dataclass(frozen=True)
class Expected:
    """What a token must say."""

    issuer: str
    audience: str
    required: tuple[str, ...] = ("sub", "iat")
    """Beside `exp`, `aud` and `iss`, which every token has."""


def looks_like_a_token(credential: str) -> bool:
    """Whether this is written as a signed token is, header.claims.signature."""
    return credential.count(".") == 2


def read_unverified(token: str) -> Unread:
    """Who a token says has signed it, to find the key by. Raises `Unauthenticated` for what is no signed token."""
    try:
        if len(token) > _LONGEST:
            raise ValueError("too long")
        found = extract_compact(token.encode())
        claims = json.loads(found.payload or b"")
        return Unread(str(claims["iss"]), str(found.headers()["kid"]))
    except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise refused("it is no signed token that names its issuer and its key") from error


def verify(token: str, keys: KeySet, expected: Expected) -> Claims:
    """The claims of a token that one of `keys` signed and that says what is expected. Raises `Unauthenticated`."""
    try:
        claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        _registry(expected).validate(claims)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise refused(_why(error)) from error
    return claims


def read_own(token: str, keys: KeySet) -> Claims:
    """The claims of a token that one of `keys` signed and that is not over. Raises `Unauthenticated`."""
    try:
        claims = jwt.decode(token, keys, algorithms=["Ed25519"]).claims
        JWTClaimsRegistry(leeway=LEEWAY_S, exp={"essential": True}).validate(claims)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise refused(_why(error)) from error
    return claims


def sign(claims: dict[str, Any], key: Key, *, kind: str) -> str:
    """A token that `key`, an Ed25519 key, signs; `kind` is what its header says it is."""
    return jwt.encode({"alg": "Ed25519", "kid": key.kid, "typ": kind}, claims, key, algorithms=["Ed25519"])


def key_set(document: object) -> KeySet:
    """The public keys of a JWKS document that can sign; what is of another kind is left out. Raises `ValueError`."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("it holds no list of keys")
    fitting = [key for key in listed if isinstance(key, dict) and key.get("kty") in ("OKP", "EC", "RSA")]
    try:
        return KeySet.import_key_set(cast(KeySetSerialization, {"keys": [*_public(fitting)]}))
    except JoseError as error:
        raise ValueError(str(error)) from error


def refused(why: str) -> Unauthenticated:
    """What whoever sent a token is told."""
    return Unauthenticated(f"The token is not accepted: {why}.", hint="Get a new one from your identity provider.")


def _registry(expected: Expected) -> JWTClaimsRegistry:
    needed = {name: {"essential": True} for name in ("exp", *expected.required)}
    values = {"iss": expected.issuer, "aud": expected.audience}
    said = {name: {"essential": True, "value": value} for name, value in values.items()}
    return JWTClaimsRegistry(leeway=LEEWAY_S, **cast("dict[str, Any]", needed | said))


def _public(keys: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    return ({name: value for name, value in key.items() if name != "d"} for key in keys if key.get("use") != "enc")


def _why(error: Exception) -> str:
    # The library's own sentences name claims and algorithms, never their values.
    return f"{error.error}: {error.description}".rstrip(": .") if isinstance(error, JoseError) else "it cannot be read"
