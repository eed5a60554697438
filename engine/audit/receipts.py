"""Receipts: the signed head of a case's chain, handed to who decided, as proof against whoever rewrites the trail."""

from datetime import UTC, datetime
from typing import Any

import rfc8785

from engine.audit.audit import head, stream_of
from engine.audit.offline import is_signed
from engine.audit.signing import Ring, Signer
from engine.store.database import Connection

Receipt = dict[str, Any]


async def receipt_of(conn: Connection, signer: Signer, thread_id: str, about: dict[str, Any]) -> Receipt:
    """Where the chain of a case stands now, signed, with what the receipt is for."""
    stream = stream_of(thread_id)
    seq, digest = await head(conn, stream) or (0, b"")
    said: Receipt = {
        "v": 1,
        "stream": stream,
        "seq": seq,
        "hash": digest.hex(),
        "at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "about": about,
        "key_id": signer.key_id,
        "public_key": signer.public.hex(),
    }
    return said | {"signature": signer.sign("receipt", rfc8785.dumps(said)).hex()}


def is_genuine(receipt: Receipt, ring: Ring) -> bool:
    """Whether a trusted key signed all that the receipt says."""
    said = {name: value for name, value in receipt.items() if name != "signature"}
    try:
        signature = bytes.fromhex(str(receipt.get("signature")))
        return is_signed(ring, str(receipt.get("key_id")), "receipt", rfc8785.dumps(said), signature)
    except (ValueError, rfc8785.CanonicalizationError):
        return False
