"""What proves the trail without this installation: the standard library and `cryptography` are all that it takes."""

import hashlib
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

START = bytes(32)
"""What the first record of a chain follows."""


def link_hash(stream: str, seq: int, prev: bytes, canon: bytes) -> bytes:
    """SHA-256 of 0x00, stream, 0x00, sequence number (int64, big-endian), previous hash, canonical record."""
    return hashlib.sha256(b"\0" + stream.encode() + b"\0" + seq.to_bytes(8, "big", signed=True) + prev + canon).digest()


def leaf_of(stream: str, seq: int, digest: bytes) -> bytes:
    """A chain's head as a checkpoint's tree holds it: stream, 0x00, int64, hash."""
    return stream.encode() + b"\0" + seq.to_bytes(8, "big", signed=True) + digest


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash of RFC 6962, section 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return _leaf_hash(leaves[0])
    split = _split(len(leaves))
    return _node_hash(merkle_root(leaves[:split]), merkle_root(leaves[split:]))


def merkle_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of RFC 6962, section 2.1.1, for the leaf at `index`, from the leaf upwards."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*merkle_path(leaves[:split], index), merkle_root(leaves[split:])]
    return [*merkle_path(leaves[split:], index - split), merkle_root(leaves[:split])]


def root_of_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root of a tree of `size` leaves that holds `leaf` at `index`; None where the path cannot be one."""
    if not 0 <= index < size:
        return None
    if size == 1:
        return _leaf_hash(leaf) if not path else None
    if not path:
        return None
    split, (*below, beside) = _split(size), path
    if index < split:
        left = root_of_path(leaf, index, split, below)
        return left and _node_hash(left, beside)
    right = root_of_path(leaf, index - split, size - split, below)
    return right and _node_hash(beside, right)


def key_id_of(public: bytes) -> str:
    """The name of a public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def to_sign(kind: str, body: bytes) -> bytes:
    """The bytes of which a signature is made: a signature of one kind of statement is none of another."""
    return f"gatehouse {kind}\0".encode() + body


def is_signed(keys: Mapping[str, bytes], key_id: str, kind: str, body: bytes, signature: bytes) -> bool:
    """Whether the key named is among `keys` (public, by id) and signed this statement."""
    if key_id not in keys:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(keys[key_id]).verify(signature, to_sign(kind, body))
    except InvalidSignature:
        return False
    return True


def _leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
