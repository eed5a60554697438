"""The source tree as the house tests read it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
BESIDE_THE_PRODUCT = ("tests", "docs", "benchmarks")
"""Folders with Python that is not shipped: checks, pages, measurements."""


@dataclass(frozen=True)
class Module:
    """One Python file; `path` is relative to the root and written with slashes."""

    path: str

    @cached_property
    def text(self) -> str:
        return (ROOT / self.path).read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def top(self) -> str:
        return self.path.partition("/")[0].removesuffix(".py")

    @property
    def shipped(self) -> bool:
        return self.top not in BESIDE_THE_PRODUCT

    @property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        return [n for n in ast.walk(self.tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]

    @property
    def classes(self) -> list[ast.ClassDef]:
        return [n for n in ast.walk(self.tree) if isinstance(n, ast.ClassDef)]

    @property
    def imports(self) -> set[str]:
        """Full names of the modules that are imported anywhere in the file."""
        names: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
        return names


@cache
def files(*suffixes: str) -> list[Path]:
    """Every file of ours with one of the suffixes (all without any), outside hidden folders."""
    return sorted(path for path in _walk(ROOT) if not suffixes or path.suffix in suffixes)


@cache
def modules() -> list[Module]:
    """Every Python file of ours."""
    return [Module(path.relative_to(ROOT).as_posix()) for path in files(".py")]


@cache
def shipped() -> list[Module]:
    """The Python files of the product itself."""
    return [module for module in modules() if module.shipped]


@cache
def packages() -> list[str]:
    """Top-level folders that hold Python."""
    return sorted({module.top for module in modules() if "/" in module.path})


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in ("__pycache__", "node_modules", "dist", "htmlcov"):
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path
