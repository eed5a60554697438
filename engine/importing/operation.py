"""An operation that is to become a tool, whatever document it comes from, and why one cannot become one."""

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Schema = Mapping[str, Any]
Place = Literal["path", "query", "header", "body", "arguments"]

_LONGEST_SENTENCE = 160


@dataclass(frozen=True)
class Parameter:
    """One member of a tool's request and where it goes."""

    name: str
    """As the tool calls it."""
    wire: str
    """As the system calls it."""
    place: Place
    schema: Schema
    required: bool


@dataclass(frozen=True)
class Operation:
    """Everything that is needed to write a tool, but its risk."""

    name: str
    """A Python name, as in `get_order`."""
    original: str
    """As its document calls it."""
    summary: str
    parameters: tuple[Parameter, ...]
    reply: Schema | None
    """None where nothing is answered."""
    method: str = ""
    path: str = ""
    whole_body: bool = False
    """Whether the body is one value and no object whose members are parameters."""
    facts: tuple[str, ...] = field(default=())
    """Comments about what a person has to know for the risk."""

    @property
    def reads(self) -> bool:
        return self.method == "GET"


def python_name(text: str) -> str:
    """`getOrder` and `get-order` as `get_order`; never a word of Python's."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    name = f"n{name}" if name[:1].isdigit() or not name else name
    return f"{name}_" if keyword.iskeyword(name) else name


def class_name(*parts: str) -> str:
    """`get_order`, `reply` as `GetOrderReply`."""
    return "".join(word.capitalize() for part in parts for word in python_name(part).split("_"))


def sentence(text: str, otherwise: str) -> str:
    """One plain sentence of a description: it is somebody else's text, and models will read it."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text).replace("\\", "/").replace('"', "'")
    first = re.split(r"(?<=[.!?])\s", " ".join(plain.split()))[0].strip()
    shown = first if 3 < len(first) <= _LONGEST_SENTENCE and first.isascii() else otherwise
    return shown[0].upper() + shown[1:].rstrip(".!?") + "."
