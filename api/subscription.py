"""What a subscriber of the event stream protocol wants to hear."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

_CHANNELS = ("values", "updates", "messages", "tools", "lifecycle", "input", "checkpoints", "tasks", "custom")
_CHANNEL = re.compile(rf"({'|'.join(_CHANNELS)}|custom:.{{1,200}})")
_LARGEST = 2**53

Namespace = Annotated[list[str], Field(max_length=100)]


class Subscription(BaseModel):
    """Channels, perhaps only of some namespaces and so many levels below them, perhaps only after a number."""

    model_config = ConfigDict(extra="ignore")

    channels: list[str] = Field(min_length=1, max_length=100)
    namespaces: list[Namespace] | None = Field(None, max_length=1000)
    depth: int | None = Field(None, ge=0)
    since: int | None = Field(None, ge=0, le=_LARGEST)

    @field_validator("channels")
    @classmethod
    def _known(cls, channels: list[str]) -> list[str]:
        for channel in channels:
            if not _CHANNEL.fullmatch(channel):
                raise ValueError(f"there is no channel {channel[:50]!r}; known: {', '.join(_CHANNELS)}, custom:<name>")
        return channels

    @property
    def only_watches(self) -> bool:
        """Whether it hears only that runs begin, wait and end."""
        return set(self.channels) <= {"lifecycle", "input"}

    def wants(self, event: dict[str, Any]) -> bool:
        """Whether a protocol event is for this subscriber."""
        params = event["params"]
        channel = "input" if event["method"] == "input.requested" else event["method"]
        named = f"custom:{params['data'].get('name')}" if channel == "custom" else channel
        if channel not in self.channels and named not in self.channels:
            return False
        return not self.namespaces or any(self._reaches(prefix, params["namespace"]) for prefix in self.namespaces)

    def _reaches(self, prefix: list[str], namespace: list[str]) -> bool:
        if len(prefix) > len(namespace) or (self.depth is not None and len(namespace) - len(prefix) > self.depth):
            return False
        # A segment of a prefix may leave out the id that tells one task of a stage from another.
        return all(wanted in (there, there.split(":")[0]) for wanted, there in zip(prefix, namespace, strict=False))
