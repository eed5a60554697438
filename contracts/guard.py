"""What a guard says of text, data or a call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Judgement:
    """`pass`: use the text as it is; `redact`: use `text`, which lacks the findings; `block`: do not use it."""

    verdict: Literal["pass", "redact", "block"]
    text: str
    findings: tuple[str, ...] = ()


Guard = Callable[[str], Judgement]
"""A guard over one text that needs nothing else."""
