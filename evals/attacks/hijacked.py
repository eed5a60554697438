"""A model that is entirely the attacker's: it replies what the attack says, whatever it is asked."""

import json
from collections import Counter

from contracts.errors import RecordingMissing
from engine.models.recording import Recording, Recordings
from evals.attacks.model import Played


class HijackedModel(Recordings):
    """The n-th call of a prompt takes its n-th reply; a prompt without replies is left to the workflow's own rules."""

    def __init__(self, play: Played) -> None:
        super().__init__()
        self._replies = play.replies
        self._asked: Counter[str] = Counter()

    def take(self, case: str, stage: str, key: str, messages: list[str]) -> Recording:
        replies = self._replies.get(stage)
        if not replies:
            raise RecordingMissing(f"The attack says nothing for the prompt {stage!r}.")
        reply = replies[min(self._asked[stage], len(replies) - 1)]
        self._asked[stage] += 1
        return Recording(stage, key, "written", "hijacked", json.dumps(reply, ensure_ascii=False), [])
