"""Recorded model replies: one JSON line each, found by what the model would have been sent."""

import difflib
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import rfc8785
from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.errors import InvalidEvalFile, RecordingMissing

Passing = Literal["unavailable", "timeout", "rate_limit", "server_error"]
Fault = Literal["", Passing, "refused", "length", "empty", "malformed", "schema_invalid"]
"""What becomes of a call: what is passing is a failure that may pass, the others are replies."""
Parts = Mapping[str, JsonValue]
"""What is hashed into a key: `system`, `messages`, `schema`, `params`; where there are any, `tools`, `tool_choice`."""
_SHOWN = 12
"""Hex digits of a part's hash that a recording keeps: enough to see that it is another one."""
_LEFT_OUT: dict[str, object] = {"parts": {}, "tool_calls": []}


class Key(str):
    """SHA-256 of a call. It knows the hash of each part, so that a miss can say which of them changed."""

    parts: Mapping[str, str]

    def __new__(cls, text: str, parts: Mapping[str, str]) -> "Key":
        key = super().__new__(cls, text)
        key.parts = parts
        return key


@dataclass(frozen=True)
class Recording:
    """One reply. `source` is `recorded` (a model said it) or `written` (a person wrote it)."""

    stage: str
    key: str
    source: Literal["recorded", "written"]
    model: str
    content: str
    messages: list[str]
    """The messages of the call behind its system text: for the diff when a later call finds nothing."""
    fault: Fault = ""
    tool_calls: list[JsonObject] = field(default_factory=list)
    """Each with `name`, `args` and `id`."""
    parts: dict[str, str] = field(default_factory=dict)
    """The beginning of each part's hash; empty in recordings that were made before there was a word for it."""


def key_of(parts: Parts) -> Key:
    """SHA-256 over the hash of each part."""
    hashes = {name: _sha(value) for name, value in parts.items()}
    return Key(hashlib.sha256(rfc8785.dumps(hashes)).hexdigest(), {name: sha[:_SHOWN] for name, sha in hashes.items()})


def parts_of(key: str) -> dict[str, str]:
    """What a recording keeps of the parts of its key."""
    return dict(key.parts) if isinstance(key, Key) else {}


class Recordings:
    """Replies by (stage, key); the n-th identical call of a case takes the n-th recording, later ones the last."""

    def __init__(self, recordings: Iterable[Recording] = ()) -> None:
        self._by_key: dict[tuple[str, str], list[Recording]] = defaultdict(list)
        self._taken: Counter[tuple[str, str, str]] = Counter()
        self._used: set[int] = set()
        for recording in recordings:
            self.add(recording)

    def add(self, recording: Recording) -> None:
        """One more, behind those of the same call."""
        self._by_key[recording.stage, recording.key].append(recording)

    def all(self) -> Iterator[Recording]:
        """Every recording, grouped by call."""
        return (recording for several in self._by_key.values() for recording in several)

    def take(self, case: str, stage: str, key: str, messages: list[str]) -> Recording:
        """Raises `RecordingMissing` with what changed since the nearest recording of the stage; never goes live."""
        found = self._by_key.get((stage, key))
        if not found:
            raise RecordingMissing(
                f"No recorded reply fits this call of the prompt {stage!r}.\n{self._nearest(stage, key, messages)}",
                hint="Record it again, or set GATEHOUSE_MODEL to ask a model.",
            )
        place = 0
        if len(found) > 1:
            place = min(self._taken[case, stage, key], len(found) - 1)
            self._taken[case, stage, key] += 1
        self._used.add(id(found[place]))
        return found[place]

    def unused(self) -> list[Recording]:
        """Replies that nothing has asked for."""
        return [recording for recording in self.all() if id(recording) not in self._used]

    def _nearest(self, stage: str, key: str, messages: list[str]) -> str:
        wanted, now = "\n".join(messages), parts_of(key)
        others = [recording for recording in self.all() if recording.stage == stage]
        if not others:
            return f"There are no recordings for {stage!r} at all."

        def likeness(other: Recording) -> tuple[int, float]:
            same = sum(other.parts.get(name) == sha for name, sha in now.items())
            return same, difflib.SequenceMatcher(None, wanted, "\n".join(other.messages)).quick_ratio()

        nearest = max(others, key=likeness)
        said = [_changed(nearest.parts, now)] if nearest.parts and now else []
        before = "\n".join(nearest.messages)
        if before == wanted:
            return (
                said[0] if said else "The messages are recorded; the system prompt, the schema or a parameter changed."
            )
        lines = difflib.unified_diff(before.splitlines(), wanted.splitlines(), "nearest recording", "this call", n=0)
        return "\n".join([*said, *list(lines)[:20]])


class RecordingFile(Recordings):
    """Recordings that are being made: each is a line of a file at once."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def add(self, recording: Recording) -> None:
        super().add(recording)
        with self._file.open("a") as kept:
            kept.write(f"{line_of(recording)}\n")


def read_recordings(files: Iterable[Path]) -> list[Recording]:
    """Recordings of JSON-lines files. Raises `InvalidEvalFile` naming file and line."""
    recordings = []
    for file in files:
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            try:
                recordings.append(Recording(**json.loads(line)))
            except (ValueError, TypeError) as error:
                raise InvalidEvalFile(f"{file.name}:{number} is not a recording: {error}.") from error
    return recordings


def write_recordings(file: Path, recordings: Iterable[Recording]) -> None:
    """One JSON object a line, keys in order, so that `git diff` reads well."""
    file.write_text("".join(f"{line_of(recording)}\n" for recording in recordings))


def line_of(recording: Recording) -> str:
    """One recording as a file holds it, without the members that it does not need."""
    said = {name: value for name, value in asdict(recording).items() if _LEFT_OUT.get(name) != value}
    return json.dumps(said, ensure_ascii=False, sort_keys=True)


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    return f"Since the nearest recording this has changed: {', '.join(names)}."


def _sha(value: JsonValue) -> str:
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()
