"""Each check of a token holds by itself: what it refuses is accepted once that check, and no other, is taken away."""

import time
from typing import Any

import pytest
from joserfc.jwk import KeySet, OKPKey
from joserfc.jwt import JWTClaimsRegistry

from contracts.errors import Unauthenticated
from engine.access import tokens
from engine.access.tokens import Expected, sign, verify

pytestmark = pytest.mark.controls

KEY, STRANGER = (OKPKey.generate_key("Ed25519", {"kid": "k"}) for _ in range(2))
EXPECTED = Expected("https://id.example.org", "gatehouse")


def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    said = {"iss": EXPECTED.issuer, "aud": EXPECTED.audience, "sub": "ada", "iat": now, "exp": now + 60} | more
    return {name: value for name, value in said.items() if value is not None}


def checked(said: dict[str, Any], key: OKPKey = KEY) -> bool:
    try:
        verify(sign(said, key, kind="JWT"), KeySet([KEY]), EXPECTED)
    except Unauthenticated:
        return False
    return True


class Blind(JWTClaimsRegistry):
    """Looks at every claim but one."""

    skipped = ""

    def validate(self, claims: dict[str, Any]) -> None:
        self.options = {name: option for name, option in self.options.items() if name != self.skipped}
        super().validate({name: value for name, value in claims.items() if name != self.skipped})


ATTACKS: list[tuple[str, dict[str, Any]]] = [
    ("aud", {"aud": "another"}),
    ("aud", {"aud": None}),
    ("iss", {"iss": "https://another.example.org"}),
    ("exp", {"exp": 1}),
    ("exp", {"exp": None}),
    ("nbf", {"nbf": int(time.time()) + 3600}),
    ("iat", {"iat": int(time.time()) + 3600}),
    ("sub", {"sub": None}),
]


def test_a_good_token_is_accepted() -> None:
    assert checked(claims())


@pytest.mark.parametrize(("claim", "said"), ATTACKS, ids=[f"{name}-{n}" for n, (name, _) in enumerate(ATTACKS)])
def test_a_claim_is_checked(monkeypatch: pytest.MonkeyPatch, claim: str, said: dict[str, Any]) -> None:
    refused = not checked(claims(**said))
    monkeypatch.setattr(tokens, "JWTClaimsRegistry", type("Blinded", (Blind,), {"skipped": claim}))

    assert (refused, checked(claims(**said))) == (True, True)


def test_the_signature_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = not checked(claims(), STRANGER)
    monkeypatch.setattr("joserfc.jws.verify_compact", lambda *_: True)

    assert (refused, checked(claims(), STRANGER)) == (True, True)
