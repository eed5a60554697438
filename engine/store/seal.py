"""Checkpoints are encrypted and authenticated: what this installation did not write is refused."""

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from contracts.errors import SealBroken
from engine.credentials.redactor import KNOWN
from engine.store.keyfile import key_of, read_or_make

_MARK = "+gatehouse1"
_NONCE_BYTES = 12


@dataclass(frozen=True)
class Plain:
    """A text, number, flag or null on its way into a sealed blob: LangGraph would keep it in clear beside the blobs."""

    value: str | int | float | bool | None


class SealedSerializer(SerializerProtocol):
    """LangGraph's strict serializer inside AES-256-GCM, bound to one tenant and thread."""

    def __init__(self, key: bytes, *, tenant: str, thread_id: str) -> None:
        self._cipher = AESGCM(key)
        self._binding = f"{tenant}\0{thread_id}\0"
        self._inner = JsonPlusSerializer(allowed_msgpack_modules=None)

    def dumps_typed(self, obj: object) -> tuple[str, bytes]:
        kind, data = self._inner.dumps_typed(obj.value if isinstance(obj, Plain) else obj)
        data = KNOWN.in_place(data)
        nonce = os.urandom(_NONCE_BYTES)
        return kind + _MARK, nonce + self._cipher.encrypt(nonce, data, (self._binding + kind).encode())

    def loads_typed(self, data: tuple[str, bytes]) -> object:
        """Raises `SealBroken` for a value that is unsealed, altered, of another thread or under another key."""
        return self._inner.loads_typed((data[0].removesuffix(_MARK), self.unsealed(data)))

    def unsealed(self, data: tuple[str, bytes]) -> bytes:
        """What is inside a seal, before it becomes an object again. Raises as `loads_typed` does."""
        sealed_kind, blob = data
        kind = sealed_kind.removesuffix(_MARK)
        if kind == sealed_kind:
            raise SealBroken(f"A checkpoint value of type {sealed_kind!r} carries no seal.")
        try:
            nonce, text = blob[:_NONCE_BYTES], blob[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, text, (self._binding + kind).encode())
        except (InvalidTag, ValueError) as error:  # ValueError: too short to hold even a nonce
            raise SealBroken(
                "A checkpoint value was altered, moved from another thread or sealed with another key.",
                hint="Every server and worker of one database needs the same GATEHOUSE_SEAL_KEY.",
            ) from error


def seal_key(configured: str, home: Path) -> bytes:
    """The 32-byte key: `configured` as hex, else the one kept in `home/seal.key`, made at first use (mode 0600)."""
    if configured:
        return key_of(configured, "GATEHOUSE_SEAL_KEY")
    path = home / "seal.key"
    return key_of(read_or_make(path, bytes.hex, instead="GATEHOUSE_SEAL_KEY"), str(path))


def existing_seal_key(configured: str, home: Path) -> bytes | None:
    """The same key, None where `seal_key` would have to make one. Raises `ConfigurationError`."""
    return seal_key(configured, home) if configured or (home / "seal.key").exists() else None
