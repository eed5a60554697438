"""What a record says of people: sealed beside the chain, which holds its digest, and put back where it is read."""

import hashlib
import json
import os
from dataclasses import dataclass

import rfc8785
from pydantic import JsonValue

from engine.credentials.redactor import KNOWN
from engine.store import vault

PERSONAL = frozenset(
    {
        "answer",
        "args",
        "detail",
        "error",
        "facts",
        "failed_tries",
        "message",
        "note",
        "problem",
        "question",
        "reason",
        "reply",
        "result",
        "summary",
    }
)
"""Members of a record's data that may tell of people, in every record of a case."""

ERASED, UNREADABLE, ALTERED = "[erased]", "[sealed with another key]", "[not what was recorded]"
_MARK = "sealed"
_BLIND = 32

Data = dict[str, JsonValue]


@dataclass(frozen=True)
class Sealed:
    """A record's data as it is hashed, and what lies beside."""

    data: Data
    payload: bytes | None = None
    salt: bytes | None = None


def sealed(stream: str, data: Data) -> Sealed:
    """Take out what may tell of people. Its digest is blinded: nobody finds it out by trying what it might be."""
    personal = {name: data[name] for name in sorted(PERSONAL & data.keys()) if data[name] not in (None, "", [], {})}
    if not personal:
        return Sealed(data)
    text = os.urandom(_BLIND) + KNOWN.text(rfc8785.dumps(personal).decode()).encode()
    payload, salt = vault.seal(stream, text)
    rest = {name: value for name, value in data.items() if name not in personal}
    mark: JsonValue = {"fields": list(personal), "sha256": hashlib.sha256(text).hexdigest()}
    return Sealed(rest | {_MARK: mark}, payload, salt)


def opened(stream: str, data: Data, payload: bytes | None, salt: bytes | None) -> Data:
    """The data as it was recorded; what cannot be read says why in its place."""
    mark = data.get(_MARK)
    if not isinstance(mark, dict) or not isinstance(fields := mark.get("fields"), list):
        return data
    rest = {name: value for name, value in data.items() if name != _MARK}
    found = _text(stream, str(mark.get("sha256")), payload, salt)
    if isinstance(found, str):
        return rest | {str(name): found for name in fields}
    return rest | dict(json.loads(found[_BLIND:]))


def text_of(stream: str, data: Data, payload: bytes | None, salt: bytes | None) -> bytes | None:
    """What the digest in a record was made of; None where there is nothing, or nothing left, to read."""
    mark = data.get(_MARK)
    found = _text(stream, str(mark.get("sha256")), payload, salt) if isinstance(mark, dict) else ""
    return found if isinstance(found, bytes) else None


def _text(stream: str, digest: str, payload: bytes | None, salt: bytes | None) -> bytes | str:
    if payload is None:
        return ALTERED
    if salt is None:
        return ERASED
    text = vault.unseal(stream, payload, salt)
    if text is None:
        return UNREADABLE
    return text if hashlib.sha256(text).hexdigest() == digest else ALTERED
