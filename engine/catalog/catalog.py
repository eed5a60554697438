"""Loads the workflows of langgraph.json, the only registry of them."""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from langgraph.graph.state import CompiledStateGraph
from pydantic import JsonValue

from contracts.errors import ConfigurationError, NotFound
from contracts.policy import Policy
from engine.catalog.boundaries import held_to_contracts
from engine.catalog.checks import check
from engine.catalog.manifest import digest, make_manifest
from engine.catalog.prompt import load_prompts
from engine.catalog.registry import read_registry
from engine.catalog.sources import code_of
from engine.catalog.workflow import StandIn, Workflow, stages_of
from engine.queues.model import ReviewQueue

Overrides = Mapping[str, Mapping[str, Any]]
"""Members of queues that count instead of those in policies, by the queue's name."""


class Catalog(Mapping[str, Workflow]):
    """Workflows by name, and the queues in which they are reviewed.

    Raises `ConfigurationError` where two policies disagree about a queue, or `overrides` name one that there is not.
    """

    def __init__(self, workflows: Iterable[Workflow], overrides: Overrides | None = None) -> None:
        self._workflows = {workflow.name: workflow for workflow in workflows}
        self.queues = _queues(self._workflows.values(), overrides or {})

    def __getitem__(self, name: str) -> Workflow:
        if name not in self._workflows:
            raise NotFound(f"There is no workflow {name!r}.", hint=f"There are: {', '.join(sorted(self._workflows))}.")
        return self._workflows[name]

    def queue_of(self, workflow: str) -> ReviewQueue:
        """Where its requests are reviewed, under the terms that count. Raises `NotFound`."""
        return self.queues[self[workflow].policy.queue.name]

    @property
    def versions(self) -> set[str]:
        """What is loaded."""
        return {workflow.version for workflow in self._workflows.values()}

    def __contains__(self, name: object) -> bool:
        return name in self._workflows

    def __iter__(self) -> Iterator[str]:
        return iter(self._workflows)

    def __len__(self) -> int:
        return len(self._workflows)


def load_catalog(registry: Path, *, routes: Mapping[str, JsonValue], queues: Overrides | None = None) -> Catalog:
    """Load and check every workflow of `registry` (a langgraph.json); `routes` are part of each version, `queues` not.

    Raises `ConfigurationError` naming file and problem.
    """
    targets, root = read_registry(registry), registry.resolve().parent
    return Catalog([_load(root, name, target, routes) for name, target in targets.items()], queues)


def load_policies(registry: Path) -> dict[str, Policy]:
    """The policy of every workflow of `registry` by its name, whether or not it can be governed.

    Raises `ConfigurationError` for one that cannot be imported.
    """
    return {name: _policy(_package(target), name) for name, target in read_registry(registry).items()}


def _queues(workflows: Iterable[Workflow], overrides: Overrides) -> dict[str, ReviewQueue]:
    found: dict[str, ReviewQueue] = {}
    for workflow in workflows:
        terms = workflow.policy.queue
        known = found.get(terms.name, ReviewQueue(terms, ()))
        if known.terms != terms:
            raise ConfigurationError(
                f"Workflow {workflow.name!r} says other things about the queue {terms.name!r} than "
                f"{known.workflows[0]!r} does.",
                hint="A queue has one set of terms: let both policies name the same value, or give it another name.",
            )
        found[terms.name] = ReviewQueue(terms, (*known.workflows, workflow.name))
    if unknown := sorted(set(overrides) - set(found)):
        raise ConfigurationError(
            f"GATEHOUSE_QUEUES names the queue {unknown[0]!r}, in which nothing is reviewed.",
            hint=f"There are: {', '.join(sorted(found))}.",
        )
    return {
        name: replace(queue, terms=replace(queue.terms, **overrides.get(name, {}))) for name, queue in found.items()
    }


def _load(root: Path, name: str, target: str, routes: Mapping[str, JsonValue]) -> Workflow:
    file, _, attribute = target.removeprefix("./").partition(":")
    package = _package(target)
    graph = getattr(_module(f"{package}.graph", name), attribute or "graph", None)
    policy = _policy(package, name)
    if not isinstance(graph, CompiledStateGraph):
        raise ConfigurationError(f"Workflow {name!r} offers no compiled graph in {file!r}.")
    folder = root / Path(file).parent
    stand_ins: Mapping[str, StandIn] = {}
    if (folder / "stand_ins.py").exists():
        stand_ins = _module(f"{package}.stand_ins", name).STAND_INS
    prompts = load_prompts(folder / "prompts")
    beside = folder / "policy.cedar"
    handwritten = beside.read_text() if beside.exists() else ""
    manifest = make_manifest(graph, policy, prompts, code_of(root, folder), routes, handwritten)
    stages = stages_of(graph)
    bounded, version = held_to_contracts(graph), digest(manifest)
    workflow = Workflow(name, bounded, policy, prompts, stand_ins, stages, version, manifest, handwritten, folder)
    check(workflow)
    return workflow


def _package(target: str) -> str:
    return target.removeprefix("./").partition(":")[0].removesuffix("/graph.py").replace("/", ".")


def _policy(package: str, workflow: str) -> Policy:
    policy = getattr(_module(f"{package}.policy", workflow), "POLICY", None)
    if not isinstance(policy, Policy):
        raise ConfigurationError(f"Workflow {workflow!r} has no POLICY in {package}.policy.")
    return policy


def _module(path: str, workflow: str) -> ModuleType:
    try:
        return importlib.import_module(path)
    except ImportError as error:
        raise ConfigurationError(f"Workflow {workflow!r} cannot be loaded: {error}.") from error
