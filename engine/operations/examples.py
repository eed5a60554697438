"""What people decided, as examples: one JSON object a line, without secrets and names of people; and read back."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError
from engine.approvals.model import DECISION_OF
from engine.credentials.redactor import KNOWN

REDACTION = 1
"""Rises when what is taken out changes."""


class Example(BaseModel):
    """One request and what a person said of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workflow: str
    case: str
    """Tells cases apart."""
    request: str
    tool: str
    rule: str
    """By which people were asked."""
    args: JsonObject
    facts: JsonObject
    """What policy knew beside the arguments."""
    host: JsonObject = {}
    decision: Literal["approve", "edit", "reject", "respond"]
    edited: JsonObject | None = None
    """The arguments that were approved instead."""
    reason_code: str = ""
    reason: str = ""
    """In the person's words; for a response, what they said to the workflow."""
    by: str = "a person"
    at: datetime
    looked_s: float | None = Field(None, ge=0)
    redaction: int = REDACTION

    def as_line(self) -> str:
        """Members in order, so that two exports can be compared."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)


def examples_of(rows: Iterable[Mapping[str, Any]], workflow: str) -> list[Example]:
    """Decisions as `decided_requests` reads them, oldest first.

    Secrets, card numbers and IBANs are masked, and people are numbered. What else tells of people in arguments and
    facts stays: it is what they decided by.
    """
    people: dict[str, str] = {}
    ordered = sorted(rows, key=lambda row: row["decided_at"])
    return [
        _example(row, workflow, people.setdefault(row["decided_by"], f"person {len(people) + 1}")) for row in ordered
    ]


def read_examples(file: Path) -> list[Example]:
    """Raises `ConfigurationError` naming the line and the field."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file.name} cannot be read: {error}.") from error
    return [_read(line, f"{file.name}:{number}") for number, line in enumerate(lines, 1) if line.strip()]


def write_examples(file: Path, examples: Sequence[Example]) -> None:
    file.write_text("".join(f"{example.as_line()}\n" for example in examples), encoding="utf-8")


def masked(value: Any) -> Any:
    """A JSON value without secrets, card numbers and IBANs in any of its texts."""
    if isinstance(value, str):
        return KNOWN.prose(value)
    if isinstance(value, list):
        return [masked(each) for each in value]
    if isinstance(value, dict):
        return {KNOWN.prose(name): masked(each) for name, each in value.items()}
    return value


def _example(row: Mapping[str, Any], workflow: str, by: str) -> Example:
    found = {name: masked(row[name]) for name in ("args", "facts", "host", "reason_code")}
    return Example(
        **found,
        workflow=workflow,
        case=str(row["thread_id"]),
        request=str(row["id"]),
        tool=row["tool"],
        rule=row["rule"],
        decision=cast(Any, DECISION_OF[row["status"]]),
        edited=masked(row["edited"]),
        reason=masked(row["reason"] or row["message"]),
        by=by,
        at=row["decided_at"],
        looked_s=row["looked_s"],
    )


def _read(line: str, where: str) -> Example:
    try:
        return Example.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or "the line"
        raise ConfigurationError(
            f"{where} is no decision: {field}: {first['msg']}.", hint="Write them with: gatehouse policy decisions"
        ) from error
