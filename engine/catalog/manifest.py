"""What a version pins, in parts that can be compared: values where they are short, digests of what stands in files."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import cast

from pydantic import JsonValue

from contracts.approval import JsonObject
from contracts.policy import Policy
from contracts.tool import AnyTool
from engine.catalog.policy import policy_version
from engine.catalog.prompt import Prompt
from engine.catalog.schemas import schema_of
from engine.catalog.sources import digest_of
from engine.catalog.workflow import Graph, stages_of


def make_manifest(
    graph: Graph,
    policy: Policy,
    prompts: Mapping[str, Prompt],
    code: Mapping[str, str],
    routes: Mapping[str, JsonValue],
    handwritten: str = "",
) -> JsonObject:
    """Everything that decides what a run does. `routes` are by alias, `*` for all others, and hold no secret.

    Code and prompts are digests: their text is in version control, and a database that anybody may read back needs no
    copy of it. Policy and contracts are values: they are what an operator has to see to decide about a migration.
    """
    aliases = {prompt.alias for prompt in prompts.values()}
    made = {
        "code": dict(code),
        "stages": {stage.name: {"kind": stage.kind, "tools": stage.tools} for stage in stages_of(graph).values()},
        "prompts": {
            p.name: {
                "model": p.alias,
                "max_tokens": p.max_tokens,
                "max_context": p.max_context,
                "text": p.sha256[:16],
            }
            for p in prompts.values()
        },
        "tools": {tool.name: _contract(tool) for tool in policy.tools},
        "policy": _values(policy, handwritten) | {"cedar": handwritten},
        "routes": {alias: routes.get(alias, routes.get("*")) for alias in aliases},
    }
    return cast(JsonObject, json.loads(json.dumps(made, sort_keys=True)))


def digest(manifest: JsonObject) -> str:
    """The version: first 16 hex digits of SHA-256 over the manifest."""
    return digest_of(json.dumps(manifest, sort_keys=True).encode())


def differences(before: JsonValue, after: JsonValue, path: str = "") -> Iterator[tuple[str, JsonValue, JsonValue]]:
    """Where two manifests differ: the path, and what stands there in each; None where it is missing.

    Names within a path are separated by a slash, because they hold dots.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            yield from differences(before.get(name), after.get(name), f"{path}/{name}" if path else name)
    elif before != after:
        yield path, before, after


def _contract(tool: AnyTool) -> dict[str, object]:
    return {
        "version": tool.version,
        "effect": tool.effect,
        "reversibility": tool.reversibility,
        "blast_radius": tool.blast_radius,
        "scopes": tool.scopes,
        "timeout_s": tool.timeout_s,
        "idempotent_by": tool.idempotent_by,
        "target": tool.target,
        "preconditions": tool.preconditions,
        "undo": tool.undo,
        "key_retention_s": tool.key_retention_s,
        "settles_in_s": tool.settles_in_s,
        "reread": tool.reread.__qualname__ if tool.reread else None,
        "amount": tool.amount,
        "currency": tool.currency,
        "gate_class": tool.gate_class,
        "compensation": tool.compensation.tool.name if tool.compensation else None,
        "request": schema_of(tool.request),
        "reply": schema_of(tool.reply),
    }


def _values(policy: Policy, handwritten: str) -> dict[str, object]:
    """The policy's values; functions count by name here and by their code with the rest of the code."""
    # Where it is not declared it is left out: it was not there when many a case was pinned.
    declared: dict[str, object] = {"data_class": policy.data_class} if policy.data_class else {}
    declared |= {"duties": asdict(policy.duties)} if policy.duties else {}
    return declared | {
        "version": policy_version(policy, handwritten),
        "owner": policy.owner,
        "purpose": policy.purpose,
        "rules": {rule.id: asdict(rule) for rule in policy.rules},
        "order_of_rules": [rule.id for rule in policy.rules],
        "waivers": {waiver.tool: waiver.why for waiver in policy.waivers},
        "budget": asdict(policy.budget),
        "queue": asdict(policy.queue),
        "roles": policy.roles,
        "evidence": {tool: evidence.__qualname__ for tool, evidence in policy.evidence.items()},
        "facts": {tool: dict(facts) for tool, facts in policy.facts.items()},
        "measures": {tool: measure.__qualname__ for tool, measure in policy.measures.items()},
        "confirmed": policy.confirmed,
        "input_guards": [guard.__qualname__ for guard in policy.input_guards],
    }
