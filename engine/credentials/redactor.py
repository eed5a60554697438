"""Takes the secrets that this process knows out of everything that is stored or leaves, and what has a key's form."""

import base64
import json
import re
import threading
from urllib.parse import quote

from ahocorasick_rs import AhoCorasick

from contracts.sensitive import MARKS, find_numbers, keys_at, mask

MASK = "[secret]"
_SHORTEST = 8
_WORD = re.compile(r"[A-Za-z]+|[0-9]+")
_LONG = 16


class Redactor:
    """Finds secrets in the forms in which texts carry them. One for a process: see `KNOWN`.

    One pass of an automaton over a text, however many secrets there are.
    """

    def __init__(self) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._exact = _Automaton(())
        self._any = _Automaton(MARKS)
        self._bytes: tuple[bytes, ...] = ()

    def learn(self, value: str) -> None:
        """Keep one more secret out. A short or plain word is not: masking it would destroy ordinary text."""
        if value in self._secrets or not is_maskable(value):
            return
        with self._lock:
            secrets = self._secrets | {value}
            forms = tuple(sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True))
            self._exact, self._any = _Automaton(forms), _Automaton((*MARKS, *forms))
            self._bytes = tuple(form.encode() for form in forms)
            self._secrets = secrets

    @property
    def secrets(self) -> frozenset[str]:
        """What is kept out, for whoever looks for it."""
        return self._secrets

    def exact(self, text: str) -> str:
        """`text` without known secrets; JSON stays JSON."""
        spans = [(start, end, MASK) for _, start, end in self._exact.hits(text)]
        return _masked(text, spans)

    def exact_bytes(self, data: bytes) -> bytes:
        """The same for bytes that hold text."""
        for form in self._bytes:
            if form in data:
                data = data.replace(form, MASK.encode())
        return data

    def in_place(self, data: bytes) -> bytes:
        """The same where lengths stand beside texts, as in msgpack: each sign becomes a star."""
        for form in self._bytes:
            if form in data:
                data = data.replace(form, b"*" * len(form))
        return data

    def text(self, text: str) -> str:
        """`text` without known secrets and without keys of providers: what is stored of calls, events and errors."""
        spans: list[tuple[int, int, str]] = []
        for found, start, end in self._any.hits(text):
            if found in MARKS:
                spans += [(key.start, key.end, f"[{key.kind}]") for key in keys_at(text, start, found)]
            else:
                spans.append((start, end, MASK))
        return _masked(text, spans)

    def prose(self, text: str) -> str:
        """The same without card numbers and IBANs, too: what people read and no program needs, as log lines."""
        return mask(self.text(text), find_numbers)


class _Automaton:
    """Where any of many texts occurs."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._texts = texts
        self._found = AhoCorasick(texts) if texts else None

    def hits(self, text: str) -> list[tuple[str, int, int]]:
        if self._found is None:
            return []
        found = self._found.find_matches_as_indexes(text, overlapping=True)
        return [(self._texts[which], start, end) for which, start, end in found]


def _masked(text: str, spans: list[tuple[int, int, str]]) -> str:
    """Where spans overlap, they are masked as one, under the name of the first."""
    if not spans:
        return text
    parts, place = [], 0
    for start, end, name in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= place:
            parts += [text[place:start], name]
        place = max(place, end)
    return "".join([*parts, text[place:]])


KNOWN = Redactor()
"""Every secret that this process has seen. A secret cannot be forgotten: what was written with it may come late."""


def is_maskable(value: str) -> bool:
    """Whether a secret differs enough from ordinary words and numbers to be looked for."""
    return len(value) >= _LONG or (len(value) >= _SHORTEST and not _WORD.fullmatch(value))


def dumps(value: object) -> str:
    """JSON for the database, without known secrets and keys."""
    return KNOWN.text(json.dumps(value))


def _forms(secret: str) -> set[str]:
    as_json = json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]
    coded = (base64.b64encode(secret.encode()), base64.urlsafe_b64encode(secret.encode()))
    return {secret, *as_json, quote(secret, safe=""), *(code.decode().rstrip("=") for code in coded)}
