"""A stage that makes an approved call, exactly as it was frozen."""

from collections.abc import Mapping
from typing import Any, Literal

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from contracts.context import Context
from contracts.errors import ToolOutcomeUnknown
from contracts.tool import AnyTool
from nodes.kinds import Node, says
from nodes.recovery import or_hand_off


def carries_out(
    tool: AnyTool, *, into: str, proposal: str = "proposal", unknown: Literal["hand_off", "park"] = "hand_off"
) -> Node:
    """A stage that calls `tool` with the arguments of the decided `proposal` and keeps the reply in `into`.

    The gateway consumes the approval. A call that failed leaves a `problem`. So does one whose outcome nobody knows
    under `hand_off`; under `park` the case waits until a person has found out, and goes on with what they found.
    """

    async def carry_out(state: Mapping[str, Any], runtime: Runtime[Context]) -> dict[str, object]:
        decided, context = state[proposal], runtime.context
        request = tool.request.model_validate(decided["args"])
        while True:
            try:
                receipt = await context.tools.call(tool, request, request_id=decided["request_id"])
            except ToolOutcomeUnknown:
                if unknown == "hand_off":
                    raise
                # What it is resumed with is a wake-up and nothing more: the ledger says what was found. A second
                # attempt may end in doubt again, and this waits again.
                interrupt(await context.gates.doubt(decided["request_id"]))
            else:
                return {into: receipt.model_dump(mode="json")}

    return {"action": or_hand_off(carry_out), **says("effect", tool)}
