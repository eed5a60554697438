"""`gatehouse approvals escalate`: have a request go up its queue's chain now."""

from typing import Annotated

import typer

from commands.client import DEFAULT_URL, Key, Url, call
from commands.terminal import explained, say, show_json


@explained
def escalate(
    request_id: Annotated[str, typer.Argument(help="Id of the request.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the audit trail.", prompt=True)],
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False,
) -> None:
    """Move a request one step up: others may decide it, too, and nobody has claimed it any more."""
    request = call("POST", f"/approvals/{request_id}/escalate", url=url, key=key, body={"reason": reason})
    if as_json:
        show_json(request)
        return
    also = ", ".join(request["escalated_to"])
    say(f"It stands on level {request['level']} now." + (f" Whoever is {also} may decide it, too." if also else ""))
