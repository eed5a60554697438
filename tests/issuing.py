"""An identity provider in this process: discovery, keys that rotate, a token endpoint."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import OKPKey, RSAKey

from tests.stubs.served import served

AUDIENCE = "gatehouse"
_RSA: list[RSAKey] = []


def rsa_key() -> RSAKey:
    """One for the whole session: making one takes long."""
    if not _RSA:
        _RSA.append(RSAKey.generate_key(2048, {"kid": "rsa"}))
    return _RSA[0]


@dataclass
class Issuer:
    """Answers over HTTP on this machine and remembers what it was asked."""

    url: str = ""
    keys: list[Any] = field(default_factory=lambda: [OKPKey.generate_key("Ed25519", {"kid": "first"})])
    alive: bool = True
    asked: list[str] = field(default_factory=list)
    exchanged: list[tuple[dict[str, str], str]] = field(default_factory=list)
    """Forms that came to the token endpoint, each with its Authorization header."""
    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """What the token endpoint answers, in turn; a token for an hour when there is nothing."""

    def token(self, key: Any = None, **claims: Any) -> str:
        """An access token of the newest key; a claim that is None is left out."""
        key, now = key or self.keys[-1], int(time.time())
        said = {"iss": self.url, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300, "roles": ["caller"]}
        given = {name: value for name, value in (said | claims).items() if value is not None}
        alg = "RS256" if isinstance(key, RSAKey) else "Ed25519"
        return jwt.encode({"alg": alg, "kid": key.kid, "typ": "at+jwt"}, given, key, algorithms=[alg])

    def rotate(self) -> None:
        """Only a new key signs and is published from now on."""
        self.keys = [OKPKey.generate_key("Ed25519", {"kid": f"key-{len(self.asked)}"})]

    def settings(self, **more: Any) -> dict[str, Any]:
        """As the configuration names it."""
        return {"issuer": self.url, "audience": AUDIENCE, "tenant": "default"} | more

    def published(self) -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in self.keys]}


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer that answers until the end of the block."""
    issuer = Issuer()

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            found = {
                "/.well-known/openid-configuration": {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/jwks"},
                "/jwks": issuer.published(),
            }.get(self.path)
            self._answer(200 if found else 404, found or {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            issuer.exchanged.append((form, self.headers.get("authorization", "")))
            token = {"access_token": f"outside-{len(issuer.exchanged)}", "token_type": "Bearer", "expires_in": 3600}
            self._answer(*(issuer.answers.pop(0) if issuer.answers else (200, token)))

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            said = json.dumps(body).encode()
            self.send_response(status if issuer.alive else 503)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Tests say what they want to see."""

    with served(Answering) as url:
        issuer.url = url
        yield issuer
