"""Writes the graph that a server has to serve, with the file that names it, ready to be served."""

import json
import shutil
from pathlib import Path

from contracts.errors import ConfigurationError
from evals.conformance.rig import GRAPH

_HERE = Path(__file__).parent
_LIMIT = "PAID_WITHOUT_A_PERSON = 100"


def write_plain(folder: Path) -> Path:
    """The graph in plain LangGraph, for any server; returns its langgraph.json. Raises `ConfigurationError`."""
    _make(folder)
    shutil.copy(_HERE / "plain" / "graph.py", folder / "graph.py")
    return _register(folder, "./graph.py:graph", "plain")


def write_governed(folder: Path, *, limit: int | None = None) -> Path:
    """The graph as a workflow for a Gatehouse server; up to `limit` it pays without a person. Raises as above."""
    _make(folder)
    target = folder / GRAPH
    shutil.copytree(_HERE / "governed", target, ignore=shutil.ignore_patterns("__pycache__", "*.md"))
    if limit is not None:
        policy = target / "policy.py"
        policy.write_text(policy.read_text().replace(_LIMIT, f"PAID_WITHOUT_A_PERSON = {limit}"))
    return _register(folder, f"./{GRAPH}/graph.py:graph", "governed")


def _make(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{str(folder)!r} is not empty.", hint="Name a folder that does not exist yet.")
    folder.mkdir(parents=True, exist_ok=True)


def _register(folder: Path, target: str, kind: str) -> Path:
    shutil.copy(_HERE / kind / "README.md", folder / "README.md")
    registry = folder / "langgraph.json"
    registry.write_text(json.dumps({"dependencies": ["."], "graphs": {GRAPH: target}}, indent=2) + "\n")
    return registry
