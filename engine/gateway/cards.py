"""What a reviewer is shown of an action: the draft's words, and what its contract says of the risk."""

from collections.abc import Sequence
from typing import cast

from contracts.approval import Change, Draft, JsonObject
from contracts.guard import Finding
from contracts.tool import AnyTool


def card_of(tool: AnyTool, draft: Draft, findings: Sequence[Finding], preview: Sequence[Change] | None) -> JsonObject:
    """A draft as a card: what will happen, why, on what evidence, what guards found, how risky, how it is undone.

    `diff` is what the workflow says of it, `preview` what the outside system says where it can be asked.
    """
    card = {
        "summary": draft["summary"],
        "reason": draft["reason"],
        "evidence": draft["evidence"],
        "diff": draft["diff"],
        "preview": [*preview] if preview is not None else None,
        "opinion": draft.get("opinion", ""),
        "guards": [{"kind": found.kind, "argument": found.argument, "says": found.says} for found in findings],
        "risk": risk_of(tool),
        "undo": tool.undo,
    }
    return cast(JsonObject, card)


def risk_of(tool: AnyTool) -> JsonObject:
    """What a tool's contract says of the harm that a call may do."""
    return {
        "effect": tool.effect,
        "reversibility": tool.reversibility,
        "blast_radius": tool.blast_radius,
        "scopes": list(tool.scopes),
    }
