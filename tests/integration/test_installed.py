"""What is installed as a package is what is in the checkout."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import typing_extensions

from tests.conftest import ROOT


def _workflows(place: Path) -> dict[str, str]:
    """Name and version of each workflow, as a process that imports from `place` loads them."""
    environment = {**os.environ, "PYTHONPATH": str(place)}
    command = [sys.executable, "-m", "cli", "workflows", "list", "--json"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=True)
    return {found["workflow"]: found["version"] for found in json.loads(done.stdout)}


def test_an_installed_workflow_has_the_version_of_its_checkout(tmp_path: Path) -> None:
    installed = tmp_path / "site-packages"
    for room in ("api", "commands", "contracts", "engine", "evals", "graphs", "guards", "nodes", "tools"):
        shutil.copytree(ROOT / room, installed / room, ignore=shutil.ignore_patterns("__pycache__", "cases"))
    for file in ("cli.py", "server.py", "langgraph.json"):
        shutil.copy(ROOT / file, installed / file)
    shutil.copy(typing_extensions.__file__, installed)  # a library that workflows import, installed beside them

    assert _workflows(installed) == _workflows(ROOT)
