"""Nothing that the SDK offers is left out: each method is called with each parameter, or the page says why not."""

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from langgraph_sdk import get_client

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "langgraph-api.md"
ROOMS = ("assistants", "threads", "runs", "crons", "store")
ON_EVERY_METHOD = {"headers", "params"}
"""What a caller may add to any request by hand; the SDK passes it on as it is."""
_ROW = re.compile(r"^\| `([a-z_.]+)(?:\(([a-z_.=\"]+)\))?` \| (yes|differs|no) \|(.*)\|$", re.MULTILINE)


def test_every_method_stands_on_the_page_once() -> None:
    listed = [method for method, parameter, _, _ in _rows() if not parameter]

    assert sorted(listed) == sorted(offered())


def test_what_differs_or_is_missing_has_its_reason() -> None:
    assert [row[:2] for row in _rows() if row[2] != "yes" and len(row[3].strip()) < 15] == []


def test_every_method_is_called_or_said_to_be_missing() -> None:
    missing = {method for method, parameter, status, _ in _rows() if status == "no" and not parameter}

    assert offered().keys() - called().keys() == missing


def test_every_parameter_is_given_or_said_to_be_missing() -> None:
    missing = {(method, parameter.split("=")[0]) for method, parameter, status, _ in _rows() if status == "no"}

    never = {(m, p) for m, parameters in offered().items() for p in parameters if p not in called().get(m, set())}

    assert never == missing
    assert len(missing) <= 5


@cache
def offered() -> dict[str, tuple[str, ...]]:
    """Parameters of each public method of the SDK's client."""
    client = get_client(url="http://127.0.0.1", api_key=None)
    found = {}
    for room in ROOMS:
        for name, method in inspect.getmembers(getattr(client, room), callable):
            if not name.startswith("_"):
                found[f"{room}.{name}"] = tuple(
                    p for p in inspect.signature(method).parameters if p not in ON_EVERY_METHOD
                )
    return found


@cache
def called() -> dict[str, set[str]]:
    """Parameters that the tests beside this one give to each method, in one call or another."""
    given: dict[str, set[str]] = {}
    for path in Path(__file__).parent.glob("test_*.py"):
        for method, call in _calls(ast.parse(path.read_text())):
            names = offered()[method][: len(call.args)]
            given.setdefault(method, set()).update(names, (k.arg for k in call.keywords if k.arg))
    return given


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            target: Any = node.func.value
            if isinstance(target, ast.Attribute) and f"{target.attr}.{node.func.attr}" in offered():
                yield f"{target.attr}.{node.func.attr}", node


def _rows() -> list[tuple[str, str, str, str]]:
    return _ROW.findall(PAGE.read_text())
