"""Replies of which some are broken on purpose: the n-th call of a stage, or every one."""

from collections import Counter
from collections.abc import Iterable, Mapping

from engine.models.recording import Fault, Recording, Recordings

EVERY = 0
"""In place of a number: every call of the stage."""


class FaultyRecordings(Recordings):
    """Recordings with faults by stage and the number of its call in a case, from one; `EVERY` stands for all others.

    A broken call needs no recording.
    """

    def __init__(self, recordings: Iterable[Recording], faults: Mapping[tuple[str, int], Fault]) -> None:
        super().__init__(recordings)
        self._faults = faults
        self._calls: Counter[tuple[str, str]] = Counter()

    def take(self, case: str, stage: str, key: str, messages: list[str]) -> Recording:
        self._calls[case, stage] += 1
        fault = self._faults.get((stage, self._calls[case, stage]), self._faults.get((stage, EVERY), ""))
        if not fault:
            return super().take(case, stage, key, messages)
        return Recording(stage, key, "written", "written", "", messages, fault)
