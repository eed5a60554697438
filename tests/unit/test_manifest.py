"""A version changes with everything that decides what a run does, and with nothing else."""

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from contracts.approval import JsonObject
from engine.catalog.catalog import load_catalog
from engine.catalog.manifest import differences, digest, make_manifest
from engine.catalog.sources import code_of
from engine.catalog.workflow import Workflow
from engine.models.route import Route
from tests.conftest import ROOT, TRIALS
from tests.engines import POLICY, in_line, stage

ROUTES: dict[str, JsonObject] = {"*": {"model": "m"}}


def manifest_of(workflow: Workflow, *, code: dict[str, str] | None = None, **routes: Any) -> JsonObject:
    return make_manifest(workflow.graph, workflow.policy, workflow.prompts, code or {}, routes)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a graph that imports a module beside it, which is on the path."""
    package = tmp_path / f"flow_{uuid.uuid4().hex}" / "one"
    package.mkdir(parents=True)
    for file in (package.parent / "__init__.py", package / "__init__.py", package.parent / "shared.py"):
        file.write_text("")
    (package / "graph.py").write_text("def later():\n    from ..shared import nothing\n\nfrom nodes import waiting\n")
    (package / "README.md").write_text("About it.")
    monkeypatch.syspath_prepend(tmp_path)
    return package


def test_code_is_followed_into_what_it_imports_wherever_that_is_installed(folder: Path) -> None:
    found = code_of(folder.parents[1], folder)

    top = folder.parent.name
    assert {f"{top}.one.graph", f"{top}.shared", top, "nodes.waiting", "nodes.kinds"} <= set(found)
    assert not [name for name in found if name.startswith(("contracts", "langgraph", "tools"))]


@pytest.mark.parametrize(("file", "changes"), [("graph.py", True), ("table.yaml", True), ("README.md", False)])
def test_each_file_but_the_readme_counts(folder: Path, file: str, changes: bool) -> None:
    before = code_of(folder.parents[1], folder)

    (folder / file).write_text("# other\n")

    assert (code_of(folder.parents[1], folder) != before) is changes


def test_a_shared_module_counts_only_for_those_who_import_it() -> None:
    catalog = load_catalog(TRIALS, routes={})

    def imports(name: str) -> Any:
        code: Any = catalog[name].manifest["code"]
        return code

    assert "trials.counter" in imports("gate")
    assert "trials.counter" not in imports("question")
    assert load_catalog(ROOT / "langgraph.json", routes={})["billing_dispute"].manifest["code"]


def test_two_loads_give_one_version() -> None:
    first, second = (load_catalog(TRIALS, routes=ROUTES)["gate"].version for _ in range(2))

    assert first == second


def test_a_difference_says_which_value_of_the_policy_it_is() -> None:
    workflow = in_line(("a", stage(lambda _: {})))
    strict = replace(workflow, policy=replace(POLICY, budget=replace(POLICY.budget, tool_calls=3)))

    before, after = manifest_of(workflow), manifest_of(strict)

    found = list(differences(before, after))
    assert ("policy/budget/tool_calls", 20, 3) in found
    assert {path for path, _, _ in found} == {"policy/budget/tool_calls", "policy/version"}
    assert digest(before) != digest(after)


def test_a_stage_that_is_gone_is_a_difference() -> None:
    before = manifest_of(in_line(("a", stage(lambda _: {})), ("b", stage(lambda _: {}))))
    after = manifest_of(in_line(("a", stage(lambda _: {}))))

    assert ("stages/b", {"kind": "code", "tools": []}, None) in list(differences(before, after))


def test_only_routes_that_are_used_count() -> None:
    workflow = load_catalog(ROOT / "langgraph.json", routes={})["billing_dispute"]
    alias = next(iter(workflow.prompts.values())).alias

    unused = manifest_of(workflow, other={"model": "x"})
    used = manifest_of(workflow, **{alias: {"model": "x"}})

    assert unused == manifest_of(workflow)
    assert used["routes"] == {**dict.fromkeys(p.alias for p in workflow.prompts.values()), alias: {"model": "x"}}


@pytest.mark.parametrize("address", ["https://me:secret@models.example/v1", "https://models.example/v1?key=secret"])
def test_a_route_shows_no_secret(address: str) -> None:
    public = Route("m", SecretStr("secret"), address).public()

    assert public == {"model": "m", "base_url": "https://models.example/v1", "temperature": 0.0}
