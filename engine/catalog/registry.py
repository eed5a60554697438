"""What langgraph.json says: the workflows and where their code lies. LangGraph's own tooling reads the same file."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contracts.errors import ConfigurationError

_BESIDE = "api/beside.py:app"
"""What serves our approvals beside LangGraph's dev server: it has a meaning there, and is no wish that we ignore."""
_OTHERWISE = {
    "env": "give variables to the process",
    "auth": "callers are known by keys: gatehouse keys create",
    "http": "routes of your own need a server of their own",
    "store": "items end as their callers say, and no index is kept",
    "checkpointer": "retention is set by GATEHOUSE_RETENTION_…",
    "webhooks": "see GATEHOUSE_WEBHOOK_…",
    "encryption": "state is sealed with GATEHOUSE_SEAL_KEY",
}
_BUILDS = (
    *("$schema", "python_version", "node_version", "api_version", "base_image", "image_distro", "dockerfile_lines"),
    *("pip_config_file", "pip_installer", "source", "keep_pkg_tools", "ui", "priority"),
)
"""What LangGraph's command line needs to build an image or to show a page."""


def read_registry(path: Path) -> dict[str, str]:
    """The target of each workflow by name; its folders of dependencies can be imported from then on.

    Raises `ConfigurationError` naming file and problem.
    """
    said = _read(path)
    graphs = said.get("graphs")
    targets = {name: _target(graph) for name, graph in graphs.items()} if isinstance(graphs, dict) else {}
    if not targets or not all(targets.values()):
        raise ConfigurationError(
            f"{path.name} names no graphs, or one without a path.",
            hint='It needs {"graphs": {"name": "./graphs/name/graph.py:graph"}}.',
        )
    root = path.resolve().parent
    for folder in (*_folders(root, said), root):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    return targets


def remarks(path: Path) -> list[str]:
    """A sentence for each member that LangGraph's server reads or nobody knows, and that changes nothing here."""
    return [sentence for name, value in _read(path).items() if (sentence := _remark(path, name, value))]


def _read(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path.name} cannot be read as a registry of graphs: {error}.") from error
    if not isinstance(said, dict):
        raise ConfigurationError(f"{path.name} is no JSON object.")
    return said


def _target(graph: object) -> str:
    """LangGraph takes a path, or an object with one."""
    path = graph.get("path") if isinstance(graph, Mapping) else graph
    return path if isinstance(path, str) else ""


def _folders(root: Path, said: Mapping[str, Any]) -> Iterator[Path]:
    """Dependencies that are folders; packages are installed by whoever installs Gatehouse."""
    for dependency in said.get("dependencies") or ():
        folder = (root / str(dependency)).resolve()
        if str(dependency).startswith(".") and folder.is_dir():
            yield folder


def _remark(path: Path, name: str, value: object) -> str:
    if name in ("graphs", "dependencies") or name in _BUILDS:
        return ""
    if name == "http" and isinstance(value, dict) and str(value.get("app")).endswith(_BESIDE):
        return ""
    if name in _OTHERWISE:
        return f"{name!r} in {path.name} is for LangGraph's own server and changes nothing here: {_OTHERWISE[name]}."
    return f"{name!r} in {path.name} is nothing that Gatehouse knows; it is ignored."
