"""The tools that workflows of a registry may call, found through their policies."""

from dataclasses import dataclass
from pathlib import Path

from contracts.correction import find_tool
from contracts.tool import AnyTool
from engine.catalog.catalog import load_policies
from engine.catalog.lint import Finding, lint


@dataclass(frozen=True)
class Listed:
    """A tool and the workflows that may call it."""

    tool: AnyTool
    workflows: tuple[str, ...]

    @property
    def findings(self) -> list[Finding]:
        return lint(self.tool)


def list_tools(registry: Path) -> list[Listed]:
    """Every tool by name, those that take others back included; also of workflows that lint refuses.

    Raises `ConfigurationError` for a workflow that cannot be imported.
    """
    found: dict[str, Listed] = {}
    for workflow, policy in load_policies(registry).items():
        for tool in policy.callable_tools:
            known = found.get(tool.name, Listed(tool, ()))
            found[tool.name] = Listed(known.tool, (*known.workflows, workflow))
    return [found[name] for name in sorted(found)]


def get_tool(registry: Path, name: str) -> Listed:
    """Raises `UnknownTool` naming what was probably meant."""
    listed = {one.tool.name: one for one in list_tools(registry)}
    return listed[find_tool(name, [one.tool for one in listed.values()]).name]
