"""Finds what leads out of a text: addresses, host names, links."""

import re

from contracts.guard import Finding, GuardedCall
from contracts.values import texts_at
from guards.amounts import as_read
from guards.origins import origin_of

_LINK = re.compile(
    r"""[a-z][a-z0-9+.-]*://\S+                                   # any scheme with an authority
      | (?:mailto|tel|sms|data|javascript):\S+                    # and the ones that do without
      | [^\s@<>()]+@[^\s@<>()]+\.[^\W\d_]{2,}                     # mail programs make links of addresses
      | (?<![\w@])(?:[\w-]+\.)+[^\W\d_]{2,}(?::\d+)?(?:[/?\#]\S*)?  # and of host names
    """,
    re.IGNORECASE | re.VERBOSE,
)
_AFTER_LINK = ".,;:!?)]}>\"'»”"


def find_links(text: str) -> list[str]:
    """URLs, host names and e-mail addresses of a text, as people and programs would read them."""
    return [match.group().rstrip(_AFTER_LINK) for match in _LINK.finditer(as_read(text))]


def judge_links(call: GuardedCall) -> tuple[Finding, ...]:
    """Finds links in text for others that neither the requester nor a trusted field named, as a whole."""
    return tuple(
        Finding("link", argument, f"{argument}: it leads to {link[:120]}, which nobody trusted has named.")
        for argument, sink in call.tool.sinks.items()
        if sink.kind == "content"
        for text in texts_at(call.args, argument)
        for link in find_links(text)
        if not origin_of(call, argument, link).trusted
    )
