"""Seals what audit records say of people, with a key for each case that can be forgotten; who reads opens it again.

A process serves one installation: the key that its settings name is installed here once, when the database is opened.
"""

import hashlib
import os
import time
from collections import OrderedDict

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contracts.errors import ConfigurationError

_SALT, _ID, _NONCE = 32, 16, 12
_CACHED, _CACHED_S = 4096, 600.0


class Vault:
    """One key, and the cases' keys that are made of it and of salts which the database can forget."""

    def __init__(self, master: bytes) -> None:
        self.master = master
        self._recent: OrderedDict[str, tuple[float, bytes, AESGCM]] = OrderedDict()

    def seal(self, stream: str, text: bytes) -> tuple[bytes, bytes]:
        """`(sealed text, salt)`: the salt is to be kept beside, and without it nobody opens the text again."""
        salt, cipher = self._current(stream)
        nonce = os.urandom(_NONCE)
        return _id_of(salt) + nonce + cipher.encrypt(nonce, text, stream.encode()), salt

    def open(self, stream: str, sealed: bytes, salt: bytes) -> bytes | None:
        """The text; None for what was sealed with another key, for another case, or was altered since."""
        nonce, text = sealed[_ID : _ID + _NONCE], sealed[_ID + _NONCE :]
        try:
            return self._cipher(salt).decrypt(nonce, text, stream.encode())
        except (InvalidTag, ValueError):  # ValueError: too short to hold even a nonce
            return None

    def _current(self, stream: str) -> tuple[bytes, AESGCM]:
        """A salt of this process's own for each case: none has to be looked up before something is recorded."""
        until, salt, cipher = self._recent.pop(stream, (0.0, b"", None))
        now = time.monotonic()
        if cipher is None or until < now:
            until, salt = now + _CACHED_S, os.urandom(_SALT)
            cipher = self._cipher(salt)
        self._recent[stream] = until, salt, cipher
        if len(self._recent) > _CACHED:
            self._recent.popitem(last=False)
        return salt, cipher

    def _cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(HKDF(SHA256(), 32, salt, b"gatehouse audit payload").derive(self.master))


_INSTALLED: list[Vault] = []


def install(master: bytes) -> None:
    """Seal with this key from now on; what was sealed with those installed before is still opened."""
    known = next((vault for vault in _INSTALLED if vault.master == master), None)
    if known:
        _INSTALLED.remove(known)
    _INSTALLED.append(known or Vault(master))


def seal(stream: str, text: bytes) -> tuple[bytes, bytes]:
    """See `Vault.seal`. Raises `ConfigurationError` where no key was installed."""
    if not _INSTALLED:
        raise ConfigurationError("Nothing can be recorded of a case without the key that seals it.")
    return _INSTALLED[-1].seal(stream, text)


def unseal(stream: str, sealed: bytes, salt: bytes) -> bytes | None:
    """See `Vault.open`."""
    opened = (vault.open(stream, sealed, salt) for vault in reversed(_INSTALLED))
    return next((text for text in opened if text is not None), None)


def salt_id(sealed: bytes) -> bytes:
    """The id of the salt with which a payload can be read."""
    return sealed[:_ID]


def _id_of(salt: bytes) -> bytes:
    return hashlib.sha256(salt).digest()[:_ID]
