"""A stage that makes an approved call, exactly as it was frozen."""

from collections.abc import Mapping
from typing import Any, Literal

from langgraph.runtime import Runtime
from langgraph.types import interrupt
from typing_extensions import TypedDict

from contracts.context import Context
from contracts.errors import PreconditionsChanged, ToolOutcomeUnknown
from contracts.tool import AnyTool
from nodes.kinds import Node, says
from nodes.recovery import or_hand_off


class Drift(TypedDict):
    """What has changed since an action was approved, so that it was not done."""

    detail: str


def carries_out(
    *tools: AnyTool,
    into: str,
    proposal: str = "proposal",
    unknown: Literal["hand_off", "park"] = "hand_off",
    drift: str = "",
) -> Node:
    """A stage that calls the one of `tools` that was decided about, as `proposal` says, and keeps the reply in `into`.

    The gateway consumes the approval. A call that failed leaves a `problem`. So does one whose outcome nobody knows
    under `hand_off`; under `park` the case waits until a person has found out, and goes on with what they found.
    Where the approval counts no more because its preconditions have changed, that stands in `drift` if it is named, for
    a router that leads back to what proposes (`unless_stuck(…, drifted=…)`); without it that is a `problem`, too.
    """

    async def carry_out(state: Mapping[str, Any], runtime: Runtime[Context]) -> dict[str, object]:
        decided, context = state[proposal], runtime.context
        # Another tool's name in the state gets the first one's request refused, or its digest: it calls nothing else.
        tool = next((one for one in tools if one.name == decided["tool"]), tools[0])
        request = tool.request.model_validate(decided["args"])
        while True:
            try:
                receipt = await context.tools.call(tool, request, request_id=decided["request_id"])
            except PreconditionsChanged as error:
                if not drift:
                    raise
                return {drift: Drift(detail=error.detail)}
            except ToolOutcomeUnknown:
                if unknown == "hand_off":
                    raise
                # What it is resumed with is a wake-up and nothing more: the ledger says what was found. A second
                # attempt may end in doubt again, and this waits again.
                interrupt(await context.gates.doubt(decided["request_id"]))
            else:
                return {into: receipt.model_dump(mode="json")} | ({drift: None} if drift else {})

    return {"action": or_hand_off(carry_out), **says("effect", *tools)}
