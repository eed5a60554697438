"""The lock file: what people have looked at, by SHA-256. What differs from it is not started."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import rfc8785
from pydantic import JsonValue

from contracts.errors import ChangedSinceLocked, ConfigurationError
from contracts.policy import Policy
from engine.catalog.workflow import Workflow

LOCK = "gatehouse.lock"
"""Beside langgraph.json."""
_WORKFLOWS = "workflows"
_SHOWN = 5


@dataclass(frozen=True)
class Difference:
    """A part of a workflow that is not what was locked."""

    workflow: str
    part: str
    """`prompt <name>`, `tool <name>` or `policy`."""
    is_: Literal["new", "changed", "gone"]


def read_lock(path: Path) -> dict[str, Any]:
    """The lock file's members, none where there is no file. Raises `ConfigurationError`."""
    if not path.exists():
        return {}
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        said = f"{path.name} cannot be read: {error}."
        raise ConfigurationError(said, hint="Bring it back from version control.") from None
    if not isinstance(said, dict):
        raise ConfigurationError(f"{path.name} is no JSON object.")
    return said


def write_lock(path: Path, members: Mapping[str, Any]) -> None:
    """Keep the members, in one order, so that version control shows what has changed."""
    path.write_text(json.dumps(members, indent=2, sort_keys=True) + "\n")


def lock(path: Path, workflows: Iterable[Workflow]) -> None:
    """From now on these workflows start while their prompts, tools and policies are what they are now."""
    members = read_lock(path)
    write_lock(path, {**members, _WORKFLOWS: {workflow.name: _parts(workflow) for workflow in workflows}})


def lock_one(path: Path, workflow: Workflow) -> None:
    """The same of one workflow; what stands there of others stays."""
    write_lock(path, {**read_lock(path), _WORKFLOWS: {**_locked(path), workflow.name: _parts(workflow)}})


def differences(path: Path, workflows: Iterable[Workflow]) -> list[Difference]:
    """Where the workflows are not what was locked, by name. Raises `ConfigurationError`."""
    found, locked = [], _locked(path)
    for workflow in workflows:
        then, now = locked.get(workflow.name, {}), _parts(workflow)
        for part in sorted(then.keys() | now.keys()):
            if part not in then:
                found.append(Difference(workflow.name, part, "new"))
            elif then[part] != now.get(part):
                found.append(Difference(workflow.name, part, "changed" if part in now else "gone"))
    return found


def require_locked(path: Path, workflows: Iterable[Workflow]) -> None:
    """Raises `ChangedSinceLocked`. A workflow of which the lock says nothing is held to nothing."""
    locked = _locked(path)
    if found := differences(path, (workflow for workflow in workflows if workflow.name in locked)):
        named = ", ".join(f"{one.part} of {one.workflow} ({one.is_})" for one in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise ChangedSinceLocked(
            f"Not what {path.name} says: {named}{more}.",
            hint="Look at the changes, run the evals, then accept them: gatehouse lock.",
            facts={"parts": [f"{one.workflow}: {one.part}" for one in found]},
        )


def _locked(path: Path) -> dict[str, dict[str, str]]:
    found = read_lock(path).get(_WORKFLOWS, {})
    if not (isinstance(found, dict) and all(isinstance(parts, dict) for parts in found.values())):
        raise ConfigurationError(
            f"{path.name} says nothing readable of workflows.", hint="Write it anew: gatehouse lock."
        )
    return found


def _parts(workflow: Workflow) -> dict[str, str]:
    contracts, code = workflow.manifest["tools"], workflow.manifest["code"]
    if not (isinstance(contracts, dict) and isinstance(code, dict)):
        raise TypeError("a manifest has tools and code by name")
    found = {f"prompt {prompt.name}": _digest(vars(prompt)) for prompt in workflow.prompts.values()}
    for tool in workflow.policy.tools:
        found[f"tool {tool.name}"] = _digest([contracts[tool.name], code.get(tool.run.__module__)])
    modules = {name: digest for name, digest in code.items() if name in _modules_of(workflow.policy)}
    return {**found, "policy": _digest([workflow.manifest["policy"], modules, _policy_files(code)])}


def _modules_of(policy: Policy) -> set[str]:
    """Where the functions stand that a policy names."""
    guards = policy.guarded.guards if policy.guarded else ()
    named: list[object] = [*policy.measures.values(), *policy.evidence.values(), *policy.input_guards, *guards]
    return {str(getattr(function, "__module__", "")) for function in named}


def _policy_files(code: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: digest for name, digest in code.items() if name.endswith((".policy", "/policy.cedar"))}


def _digest(value: Any) -> str:
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()
