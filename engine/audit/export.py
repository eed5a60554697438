"""Exports a case as a signed bundle that is verified without this installation, its database or the internet."""

import base64
import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rfc8785

from contracts.errors import NotFound
from engine.audit import checkpoints, offline
from engine.audit.audit import Link, chain
from engine.audit.offline import leaf_of, merkle_path
from engine.audit.payloads import text_of
from engine.audit.seals import Seal, seals
from engine.audit.signing import Signer
from engine.store.database import Connection

_SCRIPT = Path(offline.__file__).read_bytes()
_README = """# Audit bundle of {stream}

Made {at} by an installation of Gatehouse that signs with the key {key_id}.

- `records.jsonl`: every record of the case, in order: `seq`, `hash`, `canon` (the RFC 8785 JSON that is hashed), and
  `payload`: base64 of 32 random bytes and the JSON of what the record says of people; its SHA-256 stands in the record.
  It is null where there is none or where it was erased.
- `checkpoint.json`: the newest signed checkpoint that names this case, and the Merkle path to it (RFC 6962).
- `seal.json`, where the case is so old that its first records were pruned: the signed statement up to which record.
- `manifest.json`: the SHA-256 of each file, the head of the chain and the public keys; `manifest.sig` signs it.

Verify it with Python 3.11 and the package `cryptography`, on any machine, without a network:

    python verify.py bundle.zip PUBLIC_KEY

`verify.py` lies in the bundle; better take it from a source that you trust, and the public key, too:
{public}. Or with Gatehouse: `gatehouse audit verify-bundle bundle.zip --public-key PUBLIC_KEY`.

By hand: hash = SHA-256(0x00, stream, 0x00, seq as 8 bytes big-endian, previous hash, canon), from 32 zero bytes on.
A signature (Ed25519) is over a text and the body or manifest: the product's name in lower case, a space, "checkpoint",
"bundle" or "seal", and 0x00. A chain with a seal begins with the record and the hash that the seal names.
"""


async def bundle_of(conn: Connection, signer: Signer, stream: str) -> bytes:
    """The bundle as a zip file. Expects a snapshot, and a checkpoint that names the chain.

    Raises `NotFound` where there is none yet.
    """
    links, noted = await chain(conn, stream), await checkpoints.newest_with(conn, stream)
    if not links or noted is None:
        raise NotFound(
            f"No checkpoint names {stream!r} yet.", hint="Start a worker: it makes one within a minute, then ask again."
        )
    sealed = {seal.seq: seal for seal in (await seals(conn, stream)).get(stream, [])}.get(links[0].seq - 1)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    said = {"stream": stream, "at": at, "key_id": signer.key_id, "public": signer.public.hex()}
    files = {
        "README.md": _README.format(**said).encode(),
        "records.jsonl": b"".join(_line(stream, link) for link in links),
        "checkpoint.json": _json(_proof(stream, noted)),
        "verify.py": _SCRIPT,
    } | ({"seal.json": _sealed(sealed)} if sealed else {})
    manifest = _json(
        {
            "v": 1,
            "stream": stream,
            "made_at": at,
            "head": [links[-1].seq, links[-1].hash.hex()],
            "files": {name: hashlib.sha256(text).hexdigest() for name, text in files.items()},
            "key_id": signer.key_id,
            "public_keys": sorted(key.hex() for key in signer.ring.values()),
        }
    )
    signature = signer.sign("bundle", manifest).hex().encode()
    return _packed(files | {"manifest.json": manifest, "manifest.sig": signature})


def _line(stream: str, link: Link) -> bytes:
    text = text_of(stream, json.loads(link.canon)["data"], link.payload, link.salt)
    payload = base64.b64encode(text).decode() if text else None
    said = {"seq": link.seq, "hash": link.hash.hex(), "canon": link.canon.decode(), "payload": payload}
    return _json(said) + b"\n"


def _proof(stream: str, noted: checkpoints.Checkpoint) -> dict[str, Any]:
    leaves = [leaf_of(*leaf) for leaf in noted.leaves]
    index = next(place for place, leaf in enumerate(noted.leaves) if leaf[0] == stream)
    return {
        "body": noted.body.decode(),
        "signature": noted.signature.hex(),
        "key_id": noted.key_id,
        "seq": noted.leaves[index][1],
        "index": index,
        "size": len(leaves),
        "path": [step.hex() for step in merkle_path(leaves, index)],
    }


def _sealed(seal: Seal) -> bytes:
    return _json({"body": seal.body.decode(), "signature": seal.signature.hex(), "key_id": seal.key_id})


def _json(value: Any) -> bytes:
    return rfc8785.dumps(value)


def _packed(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()
