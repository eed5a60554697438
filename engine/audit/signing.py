"""The Ed25519 key with which this installation signs checkpoints and receipts, and those that it signed with before."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.errors import ConfigurationError
from engine.audit.offline import key_id_of, to_sign
from engine.store.keyfile import key_of, read_or_make, replace_text

_FILE, _RETIRED = "audit.key", "audit.retired"

Ring = dict[str, bytes]
"""Public keys by their ids: those that are trusted."""


@dataclass(frozen=True)
class Signer:
    """Signs with one key; `ring` holds its public half and those of the keys before it."""

    private: Ed25519PrivateKey
    ring: Ring

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    @property
    def key_id(self) -> str:
        return key_id_of(self.public)

    def sign(self, kind: str, body: bytes) -> bytes:
        """Sign a statement of this kind."""
        return self.private.sign(to_sign(kind, body))


def audit_signer(configured: str, retired: Iterable[str], home: Path) -> Signer:
    """The key `configured` (64 hex digits), else the one in `home/audit.key`, made at first use (mode 0600).

    Trusted beside it are the public keys in `retired` and, where the file is used, in `home/audit.retired`.
    Raises `ConfigurationError`.
    """
    text = configured or read_or_make(home / _FILE, bytes.hex, instead="GATEHOUSE_AUDIT_KEY")
    private = Ed25519PrivateKey.from_private_bytes(key_of(text, "GATEHOUSE_AUDIT_KEY" if configured else _FILE))
    public = private.public_key().public_bytes_raw()
    return Signer(private, ring_of([public.hex(), *retired, *_retired_in(home)]))


def ring_of(publics: Iterable[str]) -> Ring:
    """Public keys, given as 64 hex digits each. Raises `ConfigurationError`."""
    found = [key_of(public, "a public key of the audit trail") for public in publics]
    return {key_id_of(public): public for public in found}


def rotate_key(home: Path) -> tuple[str, str]:
    """Sign with a new key from the next start on; returns the ids of the old and the new one.

    Raises `ConfigurationError` where there is no key file to replace.
    """
    path = home / _FILE
    if not path.exists():
        raise ConfigurationError(
            "There is no audit.key in the data folder to replace.",
            hint="A key in GATEHOUSE_AUDIT_KEY is replaced there; name the old public one in GATEHOUSE_AUDIT_OLD_KEYS.",
        )
    old = audit_signer("", (), home)
    new = Ed25519PrivateKey.generate()
    # The old one is trusted before the new one signs: a crash between the two loses nothing.
    replace_text(home / _RETIRED, "\n".join([*_retired_in(home), old.public.hex()]) + "\n")
    replace_text(path, new.private_bytes_raw().hex())
    return old.key_id, key_id_of(new.public_key().public_bytes_raw())


def _retired_in(home: Path) -> list[str]:
    path = home / _RETIRED
    return path.read_text().split() if path.exists() else []
