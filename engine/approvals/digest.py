"""The action digest: what an approval covers."""

import hashlib
from dataclasses import dataclass

import rfc8785

from contracts.approval import JsonObject


@dataclass(frozen=True)
class Action:
    """An action in the form that is digested. `args` have passed the tool's schema, so equal amounts are equal."""

    workflow: str
    version: str
    actor: str
    subject: str
    """The case: the thread's id."""
    tool: str
    tool_version: str
    args: JsonObject
    target: str
    preconditions: JsonObject

    def digest(self) -> str:
        """SHA-256 in hex over the RFC 8785 form. Summary and description are not part of it."""
        return hashlib.sha256(rfc8785.dumps(self.__dict__)).hexdigest()
