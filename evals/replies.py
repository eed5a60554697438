"""The model replies of one case: as recorded, or in the order in which they were written."""

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from contracts.errors import RecordingMissing
from engine.models.recording import Recording, Recordings, parts_of


@dataclass(frozen=True)
class Miss:
    """A model call for which the case has no reply."""

    prompt: str
    detail: str


class Replies(Protocol):
    """Recordings that remember what was asked of them."""

    missed: list[Miss]

    def take(self, case: str, stage: str, key: str, messages: list[str]) -> Recording: ...

    def unused(self) -> list[Recording]:
        """Replies that nothing has asked for."""
        ...


class RecordedReplies(Recordings):
    """Replies by key. A stage hands a case with a missing reply to a person, so the miss is remembered here."""

    def __init__(self, recordings: Iterable[Recording]) -> None:
        super().__init__(recordings)
        self.missed: list[Miss] = []

    def take(self, case: str, stage: str, key: str, messages: list[str]) -> Recording:
        try:
            return super().take(case, stage, key, messages)
        except RecordingMissing as missing:
            self.missed.append(Miss(stage, missing.detail))
            raise


class RepliesInOrder(Recordings):
    """The n-th call of a prompt takes its n-th reply, whatever its key; `given` has the keys that calls have now.

    Once a prompt's replies are used up, a call that was made before gets the reply that it got last.
    """

    def __init__(self, recordings: Iterable[Recording]) -> None:
        super().__init__()
        self._left: dict[str, deque[Recording]] = defaultdict(deque)
        for recording in recordings:
            self._left[recording.stage].append(recording)
        self._last: dict[tuple[str, str], Recording] = {}
        self.given: list[Recording] = []
        self.missed: list[Miss] = []

    def take(self, case: str, stage: str, key: str, messages: list[str]) -> Recording:
        if self._left[stage]:
            left = self._left[stage].popleft()
            parts = left.parts if left.key == key else parts_of(key)
            found = replace(left, key=str(key), messages=messages, parts=parts)
            self.given.append(found)
            self._last[stage, key] = found
        if (stage, key) not in self._last:
            self.missed.append(
                Miss(stage, f"There are no more replies for {stage!r}; this call has none:\n{messages[-1]}")
            )
            raise RecordingMissing(f"The case has no reply left for the prompt {stage!r}.")
        return self._last[stage, key]

    def unused(self) -> list[Recording]:
        return [recording for left in self._left.values() for recording in left]
