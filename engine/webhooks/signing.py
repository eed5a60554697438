"""Signs webhooks as Standard Webhooks asks: HMAC-SHA256 over id, time and body."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from pathlib import Path

from contracts.errors import ConfigurationError, Unauthenticated
from engine.store.keyfile import read_or_make

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
_ID = re.compile(r"[\x21-\x7e]{1,200}")
_MOST_SIGNATURES = 5
TOLERANCE_S = 300


def signature_headers(secret: bytes, message_id: str, sent_at: int, body: bytes) -> dict[str, str]:
    """`webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature` of one attempt."""
    signed = f"{message_id}.{sent_at}.".encode() + body
    signature = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(sent_at), "webhook-signature": f"v1,{signature}"}


def require_signed(secret: bytes, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """The id of a message that carries these headers and was signed now. Raises `Unauthenticated`."""
    message_id, at, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (_ID.fullmatch(message_id) and at.isascii() and at.isdigit() and abs(now - int(at[:20])) <= TOLERANCE_S):
        raise Unauthenticated(
            f"The event names no id, or no time within {TOLERANCE_S} s of now.",
            hint="Send webhook-id, webhook-timestamp and webhook-signature as Standard Webhooks says.",
        )
    expected = signature_headers(secret, message_id, int(at), body)["webhook-signature"].encode()
    offered = [each.encode(errors="replace") for each in given.split(" ")[:_MOST_SIGNATURES]]
    if not any([hmac.compare_digest(expected, each) for each in offered]):
        raise Unauthenticated("The event is not signed with the secret of this sender.")
    return message_id


def webhook_secret(configured: str, home: Path) -> bytes:
    """The key inside `configured` (`whsec_<base64>`), else of the secret kept in `home`, made at first use."""
    text = configured or read_or_make(home / "webhook.secret", written, instead="GATEHOUSE_WEBHOOK_SECRET")
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not _SHORTEST <= len(key) <= _LONGEST:
        where = "GATEHOUSE_WEBHOOK_SECRET" if configured else str(home / "webhook.secret")
        raise ConfigurationError(
            f"{where} does not hold {_PREFIX!r} and the base64 of {_SHORTEST} to {_LONGEST} bytes.",
            hint='Make one with: echo "whsec_$(openssl rand -base64 32)"',
        )
    return key


def written(secret: bytes) -> str:
    """A key as receivers are given it."""
    return _PREFIX + base64.b64encode(secret).decode()
