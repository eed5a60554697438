"""The files that a workflow's code consists of: its own folder and what it imports, wherever that is installed."""

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

_ROOMS = ("nodes", "tools", "guards")
"""Shared rooms of the authors' side: part of every version that imports them, also when they are installed.

`contracts` is not among them: it holds words and no behaviour, and what they say of a workflow is in the manifest as
values. Otherwise a new kind of error would be a new version of every workflow.
"""
_NOT_CODE = {"README.md", "__pycache__", "policy_tests.yaml", "prompts"}


def digest_of(content: bytes) -> str:
    """First 16 hex digits of SHA-256."""
    return hashlib.sha256(content).hexdigest()[:16]


def code_of(root: Path, folder: Path) -> dict[str, str]:
    """Digest of each file that the workflow in `folder` runs or reads: modules by name, other files by path.

    Followed are imports into the shared rooms and into what lies under `root`; libraries and the engine are not part of
    a version.
    """
    rooms = {*_ROOMS, folder.relative_to(root).parts[0]}
    own = {_module_name(root, path) for path in folder.rglob("*.py") if not _left_out(folder, path)}
    others = [p for p in folder.rglob("*") if p.is_file() and p.suffix != ".py" and not _left_out(folder, p)]
    found = {path.relative_to(root).as_posix(): digest_of(path.read_bytes()) for path in others}
    seen, waiting = set(own), sorted(own)
    while waiting:
        name = waiting.pop()
        path = _file_of(name, root, rooms)
        if path is None:
            continue
        content = path.read_bytes()
        found[name] = digest_of(content)
        imported = _imports(name, content, package=path.name == "__init__.py") | _parents(name)
        waiting += imported - seen
        seen |= imported
    return dict(sorted(found.items()))


def _left_out(folder: Path, path: Path) -> bool:
    parts = path.relative_to(folder).parts
    return any(part in _NOT_CODE or part.startswith(".") for part in parts)


def _module_name(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _parents(name: str) -> set[str]:
    """Packages are executed, too, before what is in them."""
    parts = name.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


def _file_of(name: str, root: Path, rooms: set[str]) -> Path | None:
    """The module's file if it is one of ours, wherever it is installed."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # a name imported from a module, which is no module itself
        return None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return None
    path = Path(spec.origin).resolve()
    # Where everything is installed, `root` is where the libraries are, too.
    beside = path.is_relative_to(root) and "site-packages" not in path.parts
    top = name.partition(".")[0]
    return path if top in rooms or (beside and top != "contracts") else None


@lru_cache(maxsize=1024)
def _imports(name: str, content: bytes, *, package: bool) -> frozenset[str]:
    """Full names of everything imported anywhere in a module; some are names in modules and not modules."""
    return frozenset(_imported(name, content, package))


def _imported(name: str, content: bytes, package: bool) -> Iterator[str]:
    here = name if package else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = here.split(".")[: len(here.split(".")) - node.level + 1] if node.level else []
            whence = ".".join([*up, *([node.module] if node.module else [])])
            yield whence
            yield from (f"{whence}.{alias.name}" for alias in node.names)
