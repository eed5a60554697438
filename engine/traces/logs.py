"""How server and worker write log lines: JSON for machines, text for a terminal, ids on both, secrets on neither."""

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from engine.credentials.redactor import KNOWN
from engine.traces.ids import present_ids

LogFormat = Literal["auto", "json", "text"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

_NOISY = ("asyncio", "httpcore", "httpx", "openai", "procrastinate", "uvicorn")
_MASK = "[secret]"
_SHORTEST = 6
"""A shorter secret is none, and masking it would hide ordinary words."""
# What looks like one of our API keys, or like a password in an address, is masked wherever it comes from.
_LOOKS_SECRET = re.compile(r"(?<=gh_)[0-9a-f]{8}_[\w-]{20,}|(?<=://)[^\s:/@]*:[^\s/@]+(?=@)|(?<=password=)[^\s'\"&]+")
_MARKS = ("gh_", "://", "password=")
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127)} | {ord("\n"): "\\n", ord("\t"): "\t"}
_SHOWN_FIRST = ("run_id", "request_id")


def set_up_logs(format_: LogFormat, level: LogLevel, *, secrets: Iterable[str] = ()) -> None:
    """Send every logger's lines to standard error. `auto`: text on a terminal, JSON elsewhere.

    `secrets` never appear in a line, whoever logs them.
    """
    as_json = format_ == "json" or (format_ == "auto" and not sys.stderr.isatty())
    lines = logging.StreamHandler()
    lines.setFormatter(JsonLines(secrets) if as_json else TextLines(secrets))
    logging.basicConfig(level=level, handlers=[lines], force=True)
    logging.getLogger("uvicorn.error").addFilter(_told_elsewhere)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def _told_elsewhere(record: logging.LogRecord) -> bool:
    """Whether a line belongs in the log: not uvicorn's traceback of a start that we refused and explained ourselves."""
    text = record.getMessage()
    return not (text.startswith("Traceback (most recent call last):") and "\ncontracts.errors." in text)


class _Lines(logging.Formatter):
    """What both forms share: the members of a line, and what is masked in it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        given = {secret for secret in secrets if len(secret) >= _SHORTEST}
        # As it stands in JSON, too; the longest first, so that a secret that begins with another is not half masked.
        self._secrets = sorted(given | {json.dumps(secret)[1:-1] for secret in given}, key=len, reverse=True)

    def masked(self, text: str) -> str:
        """`text` without known secrets and without what looks like one."""
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        # Most lines hold none of these, and to look for them is several times as quick as to match the pattern.
        text = _LOOKS_SECRET.sub(_MASK, text) if any(mark in text for mark in _MARKS) else text
        return KNOWN.prose(text)

    def ids(self, record: logging.LogRecord) -> dict[str, Any]:
        """Ids of the task that logged, and the facts of the line itself."""
        facts: dict[str, Any] = getattr(record, "facts", {})
        return {**present_ids(), **facts}

    def time(self, record: logging.LogRecord) -> str:
        """When it was logged: UTC, ISO 8601, milliseconds."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def trace(self, record: logging.LogRecord) -> str:
        """The exception that the line tells of, "" if none."""
        return self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""


class JsonLines(_Lines):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self.ids(record),
        }
        if trace := self.trace(record):
            line["exception"] = trace
        return self.masked(json.dumps(line, default=str, ensure_ascii=False))


class TextLines(_Lines):
    """Time, level, message, then `name=value`; ids of what is met most often stand first."""

    def format(self, record: logging.LogRecord) -> str:
        ids = self.ids(record)
        order = sorted(ids, key=lambda name: (name not in _SHOWN_FIRST, name))
        shown = "".join(f" {name}={ids[name]}" for name in order)
        head = f"{self.time(record)[11:19]} {record.levelname:7} {record.name.removeprefix('gatehouse.'):8}"
        # A line stays a line: what came from outside cannot forge the next one.
        line = f"{head} {record.getMessage()}{shown}".translate(_CONTROL)
        return self.masked("\n".join(filter(None, (line, self.trace(record)))))
