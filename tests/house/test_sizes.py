"""How large things may be. An exception stands here, with its reason."""

import ast

import pytest

from tests.house.tree import ROOT, Module, modules

LONGEST = 600
LONG_MODULES = {"contracts/errors.py": "every error stands on this one page"}
"""Modules over 400 lines, and why; none may pass 600."""
MANY_PARAMETERS = {
    "commands/approvals.py:list_": "a command: every parameter is an option",
    "commands/batching.py:batch": "a command: every parameter is an option",
    "commands/effects.py:list_": "a command: every parameter is an option",
    "commands/effects.py:resolve": "a command: every parameter is an option",
    "commands/passing.py:claim": "a command: every parameter is an option",
    "commands/conform.py:conform": "a command: every parameter is an option",
    "commands/workflows.py:mode": "a command: every parameter is an option",
    "commands/policy.py:suggest": "a command: every parameter is an option",
    "evals/commands.py:run_command": "a command: every parameter is an option",
    "evals/exporting/commands.py:export_command": "a command: every parameter is an option",
    "evals/counterfactual_commands.py:counterfactual_command": "a command: every parameter is an option",
}
FILE_LIMITS = {"graphs/*/graph.py": 100, "server.py": 60, "cli.py": 300, "engine/wiring.py": 200}


def _lines(module: Module) -> int:
    return len(module.text.splitlines())


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    names = function.args
    every = [*names.posonlyargs, *names.args, *names.kwonlyargs]
    return [name.arg for name in every if name.arg not in ("self", "cls")]


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_modules_have_at_most_400_lines() -> None:
    long = {m.path: _lines(m) for m in modules() if m.top != "tests" and _lines(m) > 400}

    assert {path: n for path, n in long.items() if path not in LONG_MODULES or n > LONGEST} == {}
    assert set(LONG_MODULES) <= set(long), "an exception that is no longer needed"


def test_test_files_have_at_most_500_lines() -> None:
    assert {m.path: _lines(m) for m in modules() if m.top == "tests" and _lines(m) > 500} == {}


def test_functions_have_at_most_60_lines() -> None:
    assert {f"{m.path}:{f.name}": _length(f) for m in modules() for f in m.functions if _length(f) > 60} == {}


def test_tests_have_at_most_25_lines() -> None:
    tests = [(m, f) for m in modules() if m.top == "tests" for f in m.functions if f.name.startswith("test_")]

    assert {f"{m.path}:{f.name}": _length(f) for m, f in tests if _length(f) > 25} == {}


def test_functions_have_at_most_6_parameters() -> None:
    # A test's parameters are fixtures and columns of its table.
    many = {f"{m.path}:{f.name}" for m in modules() if m.top != "tests" for f in m.functions if len(_parameters(f)) > 6}

    assert many == set(MANY_PARAMETERS)


def test_classes_have_at_most_15_public_methods() -> None:
    sizes = {
        f"{m.path}:{c.name}": sum(
            isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and not n.name.startswith("_") for n in c.body
        )
        for m in modules()
        for c in m.classes
    }

    assert {name: size for name, size in sizes.items() if size > 15} == {}


@pytest.mark.parametrize(("pattern", "limit"), FILE_LIMITS.items())
def test_files_that_are_read_at_a_glance_stay_so(pattern: str, limit: int) -> None:
    sizes = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in ROOT.glob(pattern)}

    assert sizes, f"{pattern} names no file"
    assert {path: size for path, size in sizes.items() if size > limit} == {}
