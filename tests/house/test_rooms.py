"""What a room may know: no names of the authors' side, its own statements, errors with codes of their own."""

import ast
import importlib
import inspect
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from contracts.tool import Tool
from docs.pages import error_classes
from tests.house.tree import ROOT, files, modules

STATEMENTS = sorted(path.relative_to(ROOT).as_posix() for path in files(".sql") if path.name == "queries.sql")
_NAMED = re.compile(r"^-- name: (\w+)\n((?:--.*\n)*)", re.MULTILINE)


def _members(room: str) -> list[tuple[str, object]]:
    found = [importlib.import_module(f"{room}.{path.stem}") for path in (ROOT / room).glob("[!_]*.py")]
    return [(module.__name__, member) for module in found for member in vars(module).values()]


def _outside_names() -> set[str]:
    """Workflows, tools and their systems, and guards: what the engine learns only at run time."""
    names = set(json.loads((ROOT / "langgraph.json").read_text())["graphs"])
    for _, member in _members("tools"):
        if isinstance(member, Tool):
            names |= {member.system, member.run.__name__}
    guards = [g for home, g in _members("guards") if inspect.isfunction(g) and g.__module__ == home]
    return names | {guard.__name__ for guard in guards if not guard.__name__.startswith("_")}


@pytest.mark.parametrize("room", ["engine", "api"])
def test_the_engines_side_names_nothing_of_the_authors(room: str) -> None:
    word = re.compile(rf"(?<![\w-])({'|'.join(sorted(_outside_names()))})(?![\w-])")
    sources = [path for path in files(".py", ".sql") if path.is_relative_to(ROOT / room)]

    lines = [(path, number, line) for path in sources for number, line in enumerate(path.read_text().split("\n"), 1)]
    found = [f"{path.relative_to(ROOT)}:{number}: {line.strip()}" for path, number, line in lines if word.search(line)]

    assert found == []


def test_every_error_has_a_code_of_its_own() -> None:
    inherited = [kind.__name__ for kind in error_classes() if "code" not in vars(kind)]
    taken = [code for code, times in Counter(kind.code for kind in error_classes()).items() if times > 1]

    assert (inherited, taken) == ([], [])


def test_every_error_says_what_it_means() -> None:
    assert [kind.__name__ for kind in error_classes() if not (kind.__doc__ or "").strip().endswith(".")] == []


@pytest.mark.parametrize("path", STATEMENTS)
def test_statements_are_named_and_explained(path: str) -> None:
    text = (ROOT / path).read_text()

    explained = {name: comment.replace("\n-- ", " ").strip() for name, comment in _NAMED.findall(text)}

    assert text.count("-- name:") == len(explained), "a name twice, or a name that is none"
    assert len(re.findall(r";\s*$", text, re.MULTILINE)) == len(explained), "a statement without a name"
    assert [name for name, comment in explained.items() if not re.fullmatch(r"-- [A-Z].*[.?]", comment)] == []


@pytest.mark.parametrize("path", STATEMENTS)
def test_statements_are_used_by_their_room_and_only_they(path: str) -> None:
    room = Path(path).parent.as_posix()
    named = {name for name, _ in _NAMED.findall((ROOT / path).read_text())}
    trees = [m.tree for m in modules() if m.path.rpartition("/")[0] == room]
    nodes = [node for tree in trees for node in ast.walk(tree)]

    words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    looked_up = {
        node.slice.value
        for node in nodes
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "_SQL"
        and isinstance(node.slice, ast.Constant)
    }

    assert named - words == set(), "nobody uses them"
    assert looked_up - named == set(), "there are no such statements"
