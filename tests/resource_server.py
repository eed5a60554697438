"""An outside system that trusts nobody: it serves a request only for a capability that was minted for exactly that."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

CHECKS = ("signature", "issuer", "audience", "scope", "action", "digest", "expiry", "once")


@dataclass(frozen=True)
class Wanted:
    """What a route asks for."""

    audience: str
    scope: str
    action: str


@dataclass
class ResourceServer:
    """Stands before `app`; `checks` are what it looks at, so that a test can have it look away."""

    app: ASGIApp
    keys: KeySet
    wanted: Mapping[tuple[str, str], Sequence[Wanted]]
    """By method and path: any of these will do."""
    checks: frozenset[str] = frozenset(CHECKS)
    served: list[dict[str, Any]] = field(default_factory=list)
    """Claims of what was served."""
    tokens: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        token = request.headers.get("gatehouse-capability") or request.headers.get("authorization", "")[7:]
        self.tokens.append(token)
        try:
            claims = self._checked(request, body, token)
        except (JoseError, ValueError, KeyError, IndexError) as error:
            self.refused.append(str(error))
            await JSONResponse({"error": "invalid_token"}, status_code=401)(scope, receive, send)
            return
        self.served.append(claims)

        async def again() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)

    def _checked(self, request: Request, body: bytes, token: str) -> dict[str, Any]:
        if "signature" in self.checks:
            claims: dict[str, Any] = jwt.decode(token, self.keys, algorithms=["Ed25519"]).claims
        else:
            claims = read_claims(token)
        (detail,) = claims["authorization_details"]
        offers = self.wanted[request.method, request.url.path]
        wanted = next((offer for offer in offers if offer.audience == claims["aud"]), offers[0])
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        shown = (detail["method"], detail["path"], detail["body_sha256"])
        holds = {
            "issuer": claims["iss"] == "gatehouse",
            "audience": claims["aud"] == wanted.audience,
            "scope": wanted.scope in claims["scope"].split(),
            "action": wanted.action in detail["actions"],
            "digest": shown == (request.method, target, hashlib.sha256(body).hexdigest()),
            "expiry": claims["iat"] <= time.time() + 5 and time.time() < claims["exp"] <= claims["iat"] + 60,
            "once": claims["jti"] not in self._seen,
        }
        if failed := [name for name, held in holds.items() if name in self.checks and not held]:
            raise ValueError(", ".join(failed))
        self._seen.add(claims["jti"])
        return claims


def read_claims(token: str) -> dict[str, Any]:
    """What a token says, true or not."""
    return dict(json.loads(extract_compact(token.encode()).payload or b""))
