"""Cedar that an author wrote beside POLICY: what each of its policies says, is about and reads."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cedarpy import policies_to_json_str

from contracts.errors import ConfigurationError
from contracts.policy import NOBODY, Quorum
from engine.policies.model import Known

_FILE = "policy.cedar"


@dataclass(frozen=True)
class Beside:
    """One hand-written policy."""

    known: Known
    tools: frozenset[str]
    """Tools that its scope admits."""
    reads: frozenset[str]


def read_handwritten(text: str, tools: Iterable[str], roles: Iterable[str]) -> list[Beside]:
    """Every policy of a workflow's `policy.cedar`.

    Raises `ConfigurationError` for text that does not parse and for a policy without `@id` or `@why`, with a gate that
    nobody could answer, or that reads the context as a whole.
    """
    if not text.strip():
        return []
    try:
        parsed = json.loads(policies_to_json_str(text))
    except ValueError as error:
        raise ConfigurationError(f"{_FILE} is no Cedar: {error}.") from error
    if parsed["templates"]:
        raise ConfigurationError(f"{_FILE} holds a template, which nobody links: write the policy out.")
    return [_beside(policy, frozenset(tools), frozenset(roles)) for policy in parsed["staticPolicies"].values()]


def _beside(policy: dict[str, Any], tools: frozenset[str], roles: frozenset[str]) -> Beside:
    notes = {name: value or "" for name, value in policy.get("annotations", {}).items()}
    name, why = notes.get("id", ""), notes.get("why", "")
    if not name or not why:
        raise ConfigurationError(f'A policy in {_FILE} lacks @id("…") or @why("…"): {name or why or "neither"}.')
    reads = frozenset(_reads(policy["conditions"], name))
    about = _admitted(policy["action"], tools)
    if policy["effect"] == "permit":
        return Beside(Known(name, "allow", why), about, reads)
    if "gate" not in notes:
        return Beside(Known(name, "deny", why, reads=reads), about, reads)
    quorum, within_s = _asked(name, notes, roles)
    return Beside(Known(name, "require_approval", why, quorum, within_s, reads), about, reads)


def _asked(name: str, notes: dict[str, str], roles: frozenset[str]) -> tuple[Quorum, int]:
    asked, always = _names(notes.get("role", "")), _names(notes.get("always", ""))
    needed, within_s = notes.get("quorum", "1"), notes.get("within", "")
    known = notes["gate"] == "approval" and asked and {*asked, *always} <= roles
    if not known or not needed.isdecimal() or not 0 < int(needed) <= len(asked) or not within_s.isdecimal():
        raise ConfigurationError(
            f"The gate {name!r} in {_FILE} cannot be answered.",
            hint='It needs @gate("approval"), @role with roles that POLICY lists, @quorum with no more people,'
            " and @within in seconds.",
        )
    return Quorum(asked, int(needed), always) if asked else NOBODY, int(within_s)


def _names(said: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in said.split(",") if name.strip())


def _admitted(scope: dict[str, Any], tools: frozenset[str]) -> frozenset[str]:
    if scope["op"] == "All":
        return tools
    entities = [scope["entity"]] if "entity" in scope else scope["entities"]
    return frozenset(entity["id"] for entity in entities) & tools


def _reads(node: Any, policy: str) -> Iterator[str]:
    """Names of the attributes of the context that an expression looks at."""
    if isinstance(node, list):
        for one in node:
            yield from _reads(one, policy)
    elif isinstance(node, dict):
        if node.get("Var") == "context":
            raise ConfigurationError(f"{policy!r} in {_FILE} reads the context as a whole: name the facts it needs.")
        for name, inside in node.items():
            if name in (".", "has") and inside.get("left") == {"Var": "context"}:
                yield inside["attr"]
            else:
                yield from _reads(inside, policy)
