"""How long one question to a model may take, with every attempt, other route and repair."""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """One moment, in monotonic seconds, for everything that a question takes."""

    ends_at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds)

    @property
    def left_s(self) -> float:
        """Never negative."""
        return max(0.0, self.ends_at - time.monotonic())

    @property
    def over(self) -> bool:
        return self.left_s == 0
