"""What proves the trail without this installation: the standard library and `cryptography` are all that it takes."""

import base64
import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

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


def problem_of_seal(
    body: bytes, signature: bytes, key_id: str, place: tuple[str, int, bytes], keys: Mapping[str, bytes] | None
) -> str:
    """What is wrong with the seal of a chain up to a `place` (stream, number and hash of a record), if anything."""
    if keys is not None and not is_signed(keys, key_id, "seal", body, signature):
        return f"its seal is not signed by a trusted key (its key is {key_id})"
    said = json.loads(body)
    if (said["stream"], said["seq"], said["hash"]) != (place[0], place[1], place[2].hex()):
        return "its seal is of another place"
    return ""


def _leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def problems_of(files: Mapping[str, bytes], trusted: Mapping[str, bytes] | None = None) -> list[str]:
    """What is wrong with an exported bundle, given by the names of its files; nothing, where it proves what it says.

    Without `trusted` (public keys by id) the key that the bundle itself names is taken: compare its id with one that
    you know.
    """
    try:
        manifest = json.loads(files["manifest.json"])
        own = {key_id_of(public): public for public in map(bytes.fromhex, manifest["public_keys"])}
        keys = own if trusted is None else trusted
        signature = bytes.fromhex(files["manifest.sig"].decode())
        if not is_signed(keys, manifest["key_id"], "bundle", files["manifest.json"], signature):
            return ["manifest.json is not signed by a trusted key"]
        found = [*_changed(files, manifest["files"]), *_unsealed(files, keys, manifest), *_broken(files, manifest)]
        return found or _unproved(files, keys, manifest)
    except (KeyError, ValueError, TypeError, StopIteration) as error:
        return [f"the bundle cannot be read: {error!r}"]


def _changed(files: Mapping[str, bytes], digests: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*files, *digests} - {"manifest.json", "manifest.sig"}):
        if name not in files or name not in digests:
            yield f"{name} {'is missing' if name in digests else 'does not belong to the bundle'}"
        elif hashlib.sha256(files[name]).hexdigest() != digests[name]:
            yield f"{name} was changed"


def _broken(files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Iterator[str]:
    sealed, links = _seal(files), _links(files)
    count, previous = (sealed["seq"], bytes.fromhex(sealed["hash"])) if sealed else (0, START)
    for link in links:
        count += 1
        digest = link_hash(manifest["stream"], count, previous, link["canon"].encode())
        if (link["seq"], link["hash"]) != (count, digest.hex()):
            yield f"record {count} does not follow from the one before it"
            return
        if not _says_what_was_recorded(link):
            yield f"what record {count} says of people is not what was recorded"
        previous = digest
    if [count, previous.hex()] != manifest["head"]:
        yield "the records do not end where the manifest says"


def _unsealed(files: Mapping[str, bytes], keys: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Iterator[str]:
    """A seal stands for records that are gone: signed, of this chain, and recorded in it under a checkpoint."""
    if not (sealed := _seal(files)):
        return
    stored = json.loads(files["seal.json"])
    body, signature = stored["body"].encode(), bytes.fromhex(stored["signature"])
    place = (manifest["stream"], sealed["seq"], bytes.fromhex(sealed["hash"]))
    if problem := problem_of_seal(body, signature, stored["key_id"], place, keys):
        yield problem
    digest, noted = hashlib.sha256(body).hexdigest(), json.loads(files["checkpoint.json"])["seq"]
    if not any(
        link["seq"] <= noted and json.loads(link["canon"])["data"].get("seal") == digest for link in _links(files)
    ):
        yield "the seal is not recorded under the checkpoint"


def pruned_of(files: Mapping[str, bytes]) -> str:
    """What a bundle says of records that are no more, as a sentence; empty where it holds all."""
    sealed = _seal(files)
    return f"Records 1 to {sealed['seq']} were pruned behind a seal of {sealed['at'][:10]}." if sealed else ""


def _seal(files: Mapping[str, bytes]) -> dict[str, Any]:
    return dict(json.loads(json.loads(files["seal.json"])["body"])) if "seal.json" in files else {}


def _says_what_was_recorded(link: Mapping[str, Any]) -> bool:
    if link["payload"] is None:  # there was none, or it was erased
        return True
    expected = json.loads(link["canon"])["data"]["sealed"]["sha256"]
    return bool(hashlib.sha256(base64.b64decode(link["payload"])).hexdigest() == expected)


def _unproved(files: Mapping[str, bytes], keys: Mapping[str, bytes], manifest: Mapping[str, Any]) -> list[str]:
    """The newest checkpoint that names the chain names it as it is here."""
    proof = json.loads(files["checkpoint.json"])
    body, signature = proof["body"].encode(), bytes.fromhex(proof["signature"])
    if not is_signed(keys, proof["key_id"], "checkpoint", body, signature):
        return ["the checkpoint is not signed by a trusted key"]
    link = next(link for link in _links(files) if link["seq"] == proof["seq"])
    leaf = leaf_of(manifest["stream"], link["seq"], bytes.fromhex(link["hash"]))
    root = root_of_path(leaf, proof["index"], proof["size"], [bytes.fromhex(step) for step in proof["path"]])
    return [] if root and root.hex() == json.loads(body)["root"] else ["the checkpoint does not cover these records"]


def _links(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files["records.jsonl"].splitlines()]


def files_of(bundle: Path) -> dict[str, bytes]:
    """The files of a bundle, by name. Raises `OSError`, `zipfile.BadZipFile`."""
    with zipfile.ZipFile(bundle) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def main() -> int:
    """`python verify.py BUNDLE.zip [PUBLIC_KEY …]`: exit code 0 where the bundle proves what it says."""
    trusted = {key_id_of(public): public for public in map(bytes.fromhex, sys.argv[2:])}
    files = files_of(Path(sys.argv[1]))
    found = problems_of(files, trusted or None)
    sys.stdout.write("\n".join(found or [f"The bundle is whole. {pruned_of(files)}".strip()]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
