"""What a workflow's policy looks at: the facts of an action, by whom they are stated, and the policy's version."""

import hashlib
from dataclasses import replace

from contracts.approval import JsonObject
from contracts.policy import HOST, SEEN, Policy

_RESERVED = (HOST, SEEN)


def policy_version(policy: Policy, handwritten: str = "") -> str:
    """First 12 hex digits of SHA-256 over the policy's values; functions count by name, their code by the version."""
    flows = [(dict(tool.sinks), tool.trusted, tool.private, tool.reaches) for tool in policy.tools]
    tools = [(tool.name, tool.version, *flow) for tool, flow in zip(policy.tools, flows, strict=True)]
    guarded = policy.guarded
    call_guards = guarded.guards if guarded else ()
    functions = [*policy.input_guards, *policy.measures.values(), *policy.evidence.values(), *call_guards]
    bare = replace(guarded, guards=()) if guarded else None
    values = replace(policy, tools=(), input_guards=(), measures={}, evidence={}, guarded=bare)
    said = (tools, [f.__qualname__ for f in functions], values, handwritten)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:12]


def facts_of(
    policy: Policy, tool: str, args: JsonObject, stated: JsonObject, host: JsonObject | None = None
) -> JsonObject:
    """What policy looks at: the draft's facts, the arguments over them, what is measured of these, and over all `host`.

    What cannot be measured is missing, and a missing fact never opens a gate. Names of the host are the host's alone:
    what a draft, an argument or a measure says under one is dropped.
    """
    measure = policy.measures.get(tool)
    try:
        measured = measure(args, stated) if measure else {}
    except (KeyError, TypeError, ValueError):
        measured = {}
    found = {name: fact for name, fact in (stated | args | measured).items() if not name.startswith(_RESERVED)}
    return found | (host or {})
