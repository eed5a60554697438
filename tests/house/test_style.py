"""Names that can say no, one sentence for each module, errors caught only where something is decided."""

import ast
import re
import sys
from pathlib import Path

from tests.house.tree import ROOT, files, modules, shipped

SAYS_NOTHING = re.compile(r"(util|helper|manager|service|handler)s?|common|core|base|misc")
EDGES = {
    "engine/worker/advance.py": "a failed workflow ends its run, not the worker",
    "engine/worker/rehearsal.py": "a stage that fails when it is tried out refuses the migration, not the command",
    "api/mcp.py": "the library would show the caller the text of any failure",
    "api/a2a.py": "the library would show the caller the text of any failure",
}
"""Where any exception may be caught, and why."""
OTHER_EXCEPTIONS = {
    "engine/worker/lease.py:CancelRequested": "control flow between heartbeat and worker; never leaves",
    "evals/worlds/whole_records.py:Objection": "how a world's back office says no, before it is an answer",
}
PRINTS = ("cli", "commands", "benchmarks")
_BROAD = {"Exception", "BaseException"}


def test_names_can_refuse() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in files(".py", ".sql")}

    vague = {path for path in names for part in path.split("/") if SAYS_NOTHING.fullmatch(Path(part).stem)}

    assert vague == set()


def test_no_module_shadows_the_standard_library() -> None:
    names = [(m.path, part.removesuffix(".py")) for m in modules() for part in m.path.split("/")]

    assert [path for path, name in names if name in sys.stdlib_module_names] == []


def test_every_module_says_what_lives_in_it() -> None:
    silent = [m.path for m in modules() if not ast.get_docstring(m.tree) and (m.top != "tests" or m.text)]

    assert silent == []


def test_every_folder_with_python_is_a_package() -> None:
    folders = {path.parent for path in files(".py")} - {ROOT}

    assert [str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_everything_is_caught_only_at_an_edge() -> None:
    assert {m.path for m in modules() if any(map(_catches_all, ast.walk(m.tree)))} == set(EDGES)


def _catches_all(node: ast.AST) -> bool:
    if isinstance(node, ast.ExceptHandler):
        return node.type is None or bool(_names(node.type) & _BROAD)
    return isinstance(node, ast.Call) and "suppress" in _names(node.func) and any(_names(a) & _BROAD for a in node.args)


def _names(node: ast.AST) -> set[str]:
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return names | {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}


def test_errors_live_in_one_tree() -> None:
    raised = {
        f"{m.path}:{c.name}"
        for m in shipped()
        if m.path != "contracts/errors.py"
        for c in m.classes
        if any(re.search(r"(Error|Exception)$", name) for base in c.bases for name in _names(base))
    }

    assert raised == set(OTHER_EXCEPTIONS)


def test_nothing_is_put_off() -> None:
    mark = re.compile(r"\b(TO[D]O|FIX[M]E|X[X]X|HAC[K])\b")
    written = files(".py", ".sql", ".md", ".toml", ".yaml", ".json", "")

    assert [path.relative_to(ROOT).as_posix() for path in written if mark.search(path.read_text())] == []


def test_nothing_prints_but_what_is_run_by_hand() -> None:
    calls = [(m, call.func) for m in modules() for call in ast.walk(m.tree) if isinstance(call, ast.Call)]
    prints = [m.path for m, name in calls if isinstance(name, ast.Name) and name.id == "print" and m.top not in PRINTS]

    assert prints == []
