"""Judges whether a call carries out what is not for outsiders, in whatever form it is written."""

import base64
import html
import re
from urllib.parse import unquote

from contracts.guard import Finding, GuardedCall
from contracts.values import folded_text, stands_below, texts_below

_SHORTEST = 5
"""Shorter values stand in any text by chance."""


def judge_confidentiality(call: GuardedCall) -> tuple[Finding, ...]:
    """Finds private fields of earlier replies in a call that customers or outsiders see.

    Read as it stands, without white space and marks, backwards, in hexadecimal, base 64, percent signs
    and entities of HTML. What the
    requester said is theirs to send on.
    """
    if call.tool.reaches == "inside":
        return ()
    carried = [(path, text) for path, text in texts_below(dict(call.args))]
    said = " ".join(call.said)
    return tuple(
        Finding("private", path, f"{path}: it holds {source}, which is not for outsiders.")
        for source, secret in _private(call)
        if secret not in said
        for path, text in carried
        if _carries(text, secret)
    )


def _private(call: GuardedCall) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for past in call.past:
        contract = call.tools.get(past.tool)
        for path, text in texts_below(past.result):
            if contract and len(text) >= _SHORTEST and any(stands_below(path, field) for field in contract.private):
                found.append((f"{past.tool}: {path}", text))
    return found


def _carries(text: str, secret: str) -> bool:
    wanted, raw = _bare(secret), secret.encode()
    for read in {text, unquote(text), html.unescape(text)}:
        bare = _bare(read)
        if folded_text(secret) in folded_text(read):
            return True
        if len(wanted) >= _SHORTEST and (wanted in bare or wanted[::-1] in bare):
            return True
    unbroken = "".join(text.split())
    return raw.hex() in _bare(text) or any(core in unbroken for core in _base64_cores(raw))


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", folded_text(text))


def _base64_cores(raw: bytes) -> list[str]:
    """What base 64 makes of the bytes wherever they stand in what is encoded, without the characters beside them."""
    cores = []
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        core = encoded[(shift * 8 + 5) // 6 : -1]
        if len(core) >= _SHORTEST:
            cores += [core, core.replace("+", "-").replace("/", "_")]
    return cores
