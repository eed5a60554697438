"""Fixtures of policies: what is said of named situations, which policies that shows, and which it does not. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError
from contracts.policy import Verdict, VerdictType
from engine.catalog.policy import facts_of
from engine.catalog.workflow import Workflow
from engine.policies.kinds import MODE

FILE = "policy_tests.yaml"
_MODES = ("shadow", "read_only", "approve_all", "auto")


class Fixture(BaseModel):
    """One situation. What it does not say stands in the situation that it is `like`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    like: str = ""
    tool: str = ""
    args: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    host: dict[str, Any] = {}
    without: tuple[str, ...] = ()
    """Facts and host's facts that are missing."""
    verdict: VerdictType
    rules: tuple[str, ...] = ()
    """That it names, among others."""


@dataclass(frozen=True)
class Tried:
    """What became of one fixture."""

    fixture: Fixture
    verdict: Verdict
    fired: frozenset[str]
    """`tool/policy` that it shows, in each mode and with the approvals that it wants."""

    @property
    def holds(self) -> bool:
        named = set(self.verdict.rule.split(", "))
        return self.verdict.type == self.fixture.verdict and set(self.fixture.rules) <= named


def read_fixtures(folder: Path) -> list[Fixture]:
    """The fixtures beside a workflow's policy. Raises `ConfigurationError` for a file that says something else."""
    path = folder / FILE
    if not path.exists():
        return []
    try:
        read = [Fixture.model_validate(one) for one in yaml.safe_load(path.read_text())]
        return [_whole(one, {other.name: other for other in read}) for one in read]
    except (yaml.YAMLError, ValidationError, TypeError, KeyError) as error:
        raise ConfigurationError(f"{path.name} of {folder.name!r} holds no fixtures: {error}") from error


def try_fixture(workflow: Workflow, fixture: Fixture) -> Tried:
    """Raises `InvalidRequest` for arguments that the tool refuses, `ToolNotGranted`."""
    args: JsonObject = dict(fixture.args)
    verdict = workflow.judge(fixture.tool, args, dict(fixture.facts), dict(fixture.host)).verdict
    fired = frozenset(f"{fixture.tool}/{one}" for one in _fired(workflow, fixture))
    return Tried(fixture, verdict, fired)


def never_fired(workflow: Workflow, tried: Sequence[Tried]) -> list[str]:
    """`tool/policy` of every policy that no fixture shows."""
    shown = {one for result in tried for one in result.fired}
    every = [f"{tool}/{one}" for tool, known in workflow.policies.known.items() for one in known]
    reads = {tool.name for tool in workflow.policy.tools if not tool.writes}
    return [one for one in every if one not in shown and one not in {f"{tool}/read-granted" for tool in reads}]


def facts_read(workflow: Workflow, fixture: Fixture) -> tuple[JsonObject, list[str]]:
    """What policy looks at in a fixture, and the names among it that a policy reads."""
    call = workflow.normalise(fixture.tool, dict(fixture.args))
    facts = facts_of(workflow.policy, fixture.tool, call.args, dict(fixture.facts), dict(fixture.host))
    return facts, [name for name in workflow.policies.read_by(fixture.tool) if name in facts]


def _fired(workflow: Workflow, fixture: Fixture) -> Iterator[str]:
    facts, _ = facts_read(workflow, fixture)
    engine, known = workflow.policies, workflow.policies.known[fixture.tool]
    agreed = tuple({one.quorum.said() for one in known.values() if one.quorum.needed})
    for mode in (None, *_MODES):
        said = facts | ({MODE: mode} if mode else {})
        for approved in ((), agreed):
            yield from engine.authorize(fixture.tool, "", said, approved).fired


def _whole(fixture: Fixture, others: dict[str, Fixture]) -> Fixture:
    if not fixture.like:
        return fixture
    base = _whole(others[fixture.like], others)
    facts = {name: value for name, value in (base.facts | fixture.facts).items() if name not in fixture.without}
    host = {name: value for name, value in (base.host | fixture.host).items() if name not in fixture.without}
    update = {"tool": fixture.tool or base.tool, "args": base.args | fixture.args, "facts": facts, "host": host}
    return fixture.model_copy(update=update)
