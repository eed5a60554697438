"""A project with one workflow and a few of its recorded cases, for whoever plays, changes or breaks them."""

import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.conftest import ROOT


def eval_project(folder: Path, workflow: str, cases: Iterable[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """`folder` with a registry, prompts and cases of its own, as what evals run on; the code is the installed one."""
    registered = {"dependencies": ["."], "graphs": {workflow: f"./graphs/{workflow}/graph.py:graph"}}
    (folder / "langgraph.json").write_text(json.dumps(registered))
    shutil.copytree(ROOT / "graphs" / workflow / "prompts", folder / "graphs" / workflow / "prompts")
    for name in cases:
        shutil.copytree(ROOT / "evals" / "cases" / workflow / name, folder / "evals" / "cases" / workflow / name)
    monkeypatch.setenv("GATEHOUSE_REGISTRY", str(folder / "langgraph.json"))
    monkeypatch.setattr(sys, "path", [*sys.path])  # loading the registry adds its folder
    return folder
