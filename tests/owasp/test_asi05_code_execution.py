"""ASI05, unexpected code execution: nothing that is stored, read or named runs, and no tool runs code."""

import ast
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ormsgpack
import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from contracts.errors import ConfigurationError
from contracts.tool import Call, ToolModel, tool
from engine.catalog.lint import lint
from engine.catalog.prompt import load_prompts
from tests.engines import Bench, refund_requests
from tests.house.tree import Module, shipped
from tests.owasp.hijacked import played

pytestmark = pytest.mark.owasp

CONSTRUCTOR_OF_ONE_ARGUMENT = 0
"""LangGraph's msgpack extension: module, name, argument."""
RUNS_CODE = {"eval", "exec", "compile", "__import__", "system", "popen", "create_subprocess_shell"}
UNSAFE = {("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load"), ("marshal", "loads")}
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle", "joblib"}


def touching(marker: Path) -> bytes:
    """A value that LangGraph's default serializer builds by running a command."""
    call = ormsgpack.packb(("os", "system", f"touch {shlex.quote(str(marker))}"))
    return ormsgpack.packb(ormsgpack.Ext(CONSTRUCTOR_OF_ONE_ARGUMENT, call))


@pytest.mark.parametrize("kind", ["msgpack", "msgpack+gatehouse1", "pickle"])
@pytest.mark.parametrize("table", ["checkpoint_blobs", "checkpoint_writes"])
async def test_a_poisoned_row_runs_nothing_and_ends_its_case(
    bench: Bench, tmp_path: Path, table: str, kind: str
) -> None:
    run, request = await bench.parked_case()
    leg, marker = await bench.approve(run), tmp_path / "ran"
    poison = f"UPDATE {table} SET type = %s, blob = %s WHERE thread_id = %s RETURNING 1"
    assert await bench.rows(poison, kind, touching(marker), leg.thread_id)

    await bench.go_on()

    ended = await bench.again(leg)
    assert (marker.exists(), ended.outcome, (ended.error or {})["error"]) == (False, "failed_safe", "seal_broken")
    assert refund_requests(bench, str(request.args["account_id"])) == 0
    assert "run.failed" in [event for event, _ in await bench.events(run)]


def test_the_same_value_runs_where_nothing_is_sealed(tmp_path: Path) -> None:
    JsonPlusSerializer(allowed_msgpack_modules=True).loads_typed(("msgpack", touching(tmp_path / "ran")))

    assert (tmp_path / "ran").exists()


async def test_a_case_whose_rows_nobody_touched_goes_on(bench: Bench) -> None:
    run, request = await bench.parked_case()
    leg = await bench.approve(run)

    await bench.go_on()

    assert (await bench.again(leg)).outcome == "completed"
    assert bench.refunds(str(request.args["account_id"])) == [25_000]


def test_a_prompt_that_names_code_is_not_loaded(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    code = f"!!python/object/apply:os.system ['touch {marker}']"
    (tmp_path / "work.md").write_text(f"---\nmodel: {code}\nmax_tokens: 10\n---\nTalk.")

    with pytest.raises(ConfigurationError):
        load_prompts(tmp_path)

    assert not marker.exists()


class Script(ToolModel):
    command: str


class Printed(ToolModel):
    number: int


@tool(effect="read", scopes=("test_asi05_code_execution:run",))
async def run_shell(request: Script, call: Call) -> Printed:
    """Run a command."""
    raise NotImplementedError


def test_a_tool_that_runs_code_is_not_taken() -> None:
    named, renamed = lint(run_shell), lint(replace(run_shell, name="office.tidy_up"))

    broken = [{finding.rule for finding in found if finding.level == "error"} for found in (named, renamed)]
    assert {"generic-tool", "free-form-parameter"} <= broken[0]
    assert "free-form-parameter" in broken[1]


@pytest.mark.parametrize("attack", ["look-alike-10", "look-alike-11"], ids=["run_sql", "shell"])
async def test_a_model_that_names_a_shell_is_not_understood(bench: Bench, attack: str) -> None:
    outcome = await played(bench, attack)

    assert (outcome.harmful, outcome.reasons) == ((), ("model",))


def test_no_line_of_ours_runs_what_it_was_given() -> None:
    assert [where for module in shipped() for where in running(module)] == []


def test_a_line_that_would_is_found() -> None:
    lines = ["eval(text)", "os.system(text)", "yaml.load(text)", "subprocess.run(text, shell=True)", "import pickle"]

    assert [len([*_in_tree("x", ast.parse(line))]) for line in lines] == [1] * len(lines)


def running(module: Module) -> Iterator[str]:
    return _in_tree(module.path, module.tree)


def _in_tree(path: str, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
        names |= {node.module or ""} if isinstance(node, ast.ImportFrom) else set()
        if names & UNSAFE_MODULES or (isinstance(node, ast.Call) and _runs(node)):
            yield f"{path}:{getattr(node, 'lineno', 0)}"


def _runs(call: ast.Call) -> bool:
    of, name = "", getattr(call.func, "id", "")
    if isinstance(call.func, ast.Attribute):
        of, name = getattr(call.func.value, "id", ""), call.func.attr
    shell = any(k.arg == "shell" and getattr(k.value, "value", True) is not False for k in call.keywords)
    builtin = name in RUNS_CODE and (not of or of in ("os", "asyncio", "builtins"))
    return shell or builtin or (of, name) in UNSAFE
