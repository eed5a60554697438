"""Recorded model replies: one JSON line each, found by what the model would have been sent."""

import difflib
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import rfc8785
from pydantic import JsonValue

from contracts.errors import ConfigurationError, RecordingMissing

Fault = Literal["", "unavailable", "refused", "length"]
Parts = Mapping[str, JsonValue]
"""What is hashed into a key: `system`, `messages`, `schema`, `params`."""


@dataclass(frozen=True)
class Recording:
    """One reply. `source` is `recorded` (a model said it) or `written` (a person wrote it)."""

    stage: str
    key: str
    source: Literal["recorded", "written"]
    model: str
    content: str
    messages: list[str]
    """The human messages of the call: for the diff when a later call finds nothing."""
    fault: Fault = ""


def key_of(parts: Parts) -> str:
    """SHA-256 over the hash of each part, so that a miss can say which part changed."""
    return hashlib.sha256(rfc8785.dumps({name: _sha(value) for name, value in parts.items()})).hexdigest()


class Recordings:
    """Replies by (stage, key); the n-th identical call of a case takes the n-th recording, later ones the last."""

    def __init__(self, recordings: Iterable[Recording] = ()) -> None:
        self._by_key: dict[tuple[str, str], list[Recording]] = defaultdict(list)
        for recording in recordings:
            self._by_key[recording.stage, recording.key].append(recording)
        self._taken: Counter[tuple[str, str, str]] = Counter()

    def take(self, case: str, stage: str, key: str, messages: list[str]) -> Recording:
        """Raises `RecordingMissing` with a diff to the nearest recording of the stage; never goes live."""
        found = self._by_key.get((stage, key))
        if not found:
            raise RecordingMissing(
                f"No recorded reply fits this call of the prompt {stage!r}.\n{self._nearest(stage, messages)}",
                hint="Record it again, or set GATEHOUSE_MODEL to ask a model.",
            )
        if len(found) == 1:
            return found[0]
        count = self._taken[case, stage, key]
        self._taken[case, stage, key] += 1
        return found[min(count, len(found) - 1)]

    def _nearest(self, stage: str, messages: list[str]) -> str:
        wanted = "\n".join(messages)
        others = ["\n".join(r.messages) for (s, _), rs in self._by_key.items() for r in rs if s == stage]
        if not others:
            return f"There are no recordings for {stage!r} at all."
        nearest = max(others, key=lambda text: difflib.SequenceMatcher(None, wanted, text).quick_ratio())
        if nearest == wanted:
            return "The messages are recorded; the system prompt, the schema or a parameter changed."
        lines = difflib.unified_diff(nearest.splitlines(), wanted.splitlines(), "nearest recording", "this call", n=0)
        return "\n".join(list(lines)[:20])


def read_recordings(files: Iterable[Path]) -> list[Recording]:
    """Recordings of JSON-lines files. Raises `ConfigurationError` naming file and line."""
    recordings = []
    for file in files:
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            try:
                recordings.append(Recording(**json.loads(line)))
            except (ValueError, TypeError) as error:
                raise ConfigurationError(f"{file.name}:{number} is not a recording: {error}.") from error
    return recordings


def write_recordings(file: Path, recordings: Iterable[Recording]) -> None:
    """One JSON object a line, keys in order, so that `git diff` reads well."""
    lines = [json.dumps(asdict(recording), ensure_ascii=False, sort_keys=True) for recording in recordings]
    file.write_text("".join(f"{line}\n" for line in lines))


def _sha(value: JsonValue) -> str:
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()
