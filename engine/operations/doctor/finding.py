"""What was looked at and what was found."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `fail`: it cannot work so; `warn`: it works, and somebody should know."""

    check: str
    state: State
    says: str
    do: str = ""
