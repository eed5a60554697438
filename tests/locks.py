"""A project with a lock that may be changed."""

import shutil
from pathlib import Path

from engine.catalog.lock import LOCK
from tests.conftest import ROOT


def copy_of_project(folder: Path) -> Path:
    """The registry of a copy of what the lock is about: graphs with their prompts and policies."""
    shutil.copytree(ROOT / "graphs", folder / "graphs", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (LOCK, "langgraph.json"):
        shutil.copy(ROOT / name, folder / name)
    return folder / "langgraph.json"
