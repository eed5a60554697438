"""What langgraph.json may say: what is read of it, and what is told to change nothing."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ConfigurationError
from engine.catalog.registry import read_registry, remarks
from tests.house.tree import ROOT

GRAPHS: dict[str, Any] = {"graphs": {"one": "./one/graph.py:graph"}}


def _written(folder: Path, said: Any) -> Path:
    path = folder / "langgraph.json"
    path.write_text(said if isinstance(said, str) else json.dumps(said))
    return path


def test_a_graph_is_named_by_its_path_or_by_an_object_with_one(tmp_path: Path) -> None:
    said = {"graphs": {"one": "./one/graph.py:graph", "two": {"path": "./two/graph.py:graph", "description": "second"}}}

    assert read_registry(_written(tmp_path, said)) == {"one": "./one/graph.py:graph", "two": "./two/graph.py:graph"}


@pytest.mark.parametrize("said", ["{", "[]", {}, {"graphs": {}}, {"graphs": []}, {"graphs": {"one": {"at": "x"}}}])
def test_a_registry_without_graphs_is_refused(tmp_path: Path, said: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"langgraph\.json"):
        read_registry(_written(tmp_path, said))


def test_folders_of_dependencies_can_be_imported_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "libraries").mkdir()

    read_registry(_written(tmp_path, GRAPHS | {"dependencies": ["./libraries", "./missing", "httpx"]}))

    assert {str(tmp_path), str(tmp_path / "libraries")} <= {*sys.path}
    assert str(tmp_path / "missing") not in sys.path


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ({"env": ".env"}, "give variables to the process"),
        ({"auth": {"path": "./auth.py:auth"}}, "gatehouse keys create"),
        ({"http": {"app": "./own.py:app"}}, "changes nothing here"),
        ({"store": {"index": {}}}, "no index is kept"),
        ({"checkpointer": {"ttl": {}}}, "GATEHOUSE_RETENTION"),
        ({"grahps": {}}, "nothing that Gatehouse knows"),
    ],
)
def test_what_changes_nothing_is_told(tmp_path: Path, member: dict[str, Any], said: str) -> None:
    [remark] = remarks(_written(tmp_path, GRAPHS | member))

    assert said in remark


def test_what_builds_an_image_or_is_our_own_is_not_remarked_on(tmp_path: Path) -> None:
    assert remarks(_written(tmp_path, GRAPHS | {"python_version": "3.11", "dependencies": ["."]})) == []
    assert remarks(ROOT / "langgraph.json") == []
