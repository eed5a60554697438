"""Assistants as the engine hands them on, and the one that the system offers for each workflow."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, Self, cast

from pydantic import JsonValue

from contracts.approval import JsonObject
from engine.catalog.workflow import Workflow
from engine.runs.model import RunOptions

_NAMESPACE_GRAPH = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
_STARTED = datetime.now(UTC)

SortBy = Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"]


@dataclass(frozen=True)
class Setup:
    """What one version of an assistant says."""

    workflow: str
    name: str
    description: str | None = None
    config: JsonObject = field(default_factory=dict)
    context: JsonObject = field(default_factory=dict)
    """What the assistant tells the stages. It authorises nothing."""
    metadata: JsonObject = field(default_factory=dict)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Assistant:
    """An assistant with the version that runs get, or with an earlier one where versions are listed."""

    id: str
    version: int
    setup: Setup
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        return cls(str(row["id"]), row["version"], Setup.of(row), row["created_at"], row["updated_at"])


@dataclass(frozen=True)
class Wanted:
    """A search: what to find, in which order, and which part of it."""

    workflow: str | None = None
    name: str | None = None
    """Part of the name, in any case."""
    metadata: JsonObject = field(default_factory=dict)
    sort_by: SortBy = "created_at"
    ascending: bool = False
    limit: int = 10
    offset: int = 0


def with_setup(setup: Setup, options: RunOptions) -> RunOptions:
    """What a run gets that was asked of an assistant: what the caller says goes over what the assistant says."""
    ours, theirs = setup.config, options.config
    configurable = cast(JsonObject, ours.get("configurable", {})) | cast(JsonObject, theirs.get("configurable", {}))
    tags = [*cast(list[JsonValue], ours.get("tags", [])), *cast(list[JsonValue], theirs.get("tags", []))]
    config = ours | theirs | {"configurable": configurable, "tags": tags}
    return replace(
        options,
        config={name: value for name, value in config.items() if value},
        context=setup.context | options.context,
    )


@cache
def system_assistant_id(workflow: str) -> str:
    """Id of a workflow's own assistant: stable over servers, as in the reference server."""
    return str(uuid.uuid5(_NAMESPACE_GRAPH, workflow))


def system_assistant(workflow: Workflow) -> Assistant:
    """The assistant that every workflow has: its graph as it is, without any configuration."""
    metadata: JsonObject = {"created_by": "system", "owner": workflow.policy.owner, "digest": workflow.version}
    setup = Setup(workflow.name, workflow.name, workflow.policy.purpose, metadata=metadata)
    return Assistant(system_assistant_id(workflow.name), 1, setup, _STARTED, _STARTED)


def rows_of(assistants: Iterable[Assistant]) -> list[JsonObject]:
    """Assistants as JSON, so that a statement can join them to those in the table."""
    return [vars(a.setup) | {"id": a.id, "version": a.version, "at": a.created_at.isoformat()} for a in assistants]
