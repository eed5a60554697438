"""A stage that makes an approved call, exactly as it was frozen."""

from collections.abc import Mapping
from typing import Any

from langgraph.runtime import Runtime

from contracts.context import Context
from contracts.tool import AnyTool
from nodes.kinds import Node, says
from nodes.recovery import or_hand_off


def carries_out(tool: AnyTool, *, into: str, proposal: str = "proposal") -> Node:
    """A stage that calls `tool` with the arguments of the decided `proposal` and keeps the reply in `into`.

    The gateway consumes the approval. A call that failed, or whose outcome nobody knows, leaves a `problem`.
    """

    async def carry_out(state: Mapping[str, Any], runtime: Runtime[Context]) -> dict[str, object]:
        decided = state[proposal]
        request = tool.request.model_validate(decided["args"])
        receipt = await runtime.context.tools.call(tool, request, request_id=decided["request_id"])
        return {into: receipt.model_dump(mode="json")}

    return {"action": or_hand_off(carry_out), **says("effect", tool)}
