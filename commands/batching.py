"""`gatehouse approvals batch`: many requests of one class decided together, with their sums and what stands out."""

from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.client import DEFAULT_URL, Key, Url, call
from commands.terminal import explained, minute, say, show_json, show_table
from contracts.errors import InvalidRequest

_MOST = 100


@explained
def batch(
    what: Annotated[str, typer.Argument(help="approve or reject.")],
    request_ids: Annotated[list[str] | None, typer.Argument(metavar="[REQUEST]…", help="Ids of the requests.")] = None,
    queue: Annotated[str, typer.Option(help="Instead of ids: what waits in this queue,")] = "",
    tool: Annotated[str, typer.Option(help="for this tool.")] = "",
    reason: Annotated[str, typer.Option(help="Why; kept with each decision.")] = "",
    code: Annotated[str, typer.Option(help="Reason code of a rejection.")] = "other",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False,
) -> None:
    """Approve or reject requests of one class: the same workflow, tool and rule.

    Shows how many there are, their sums, and which of them lie far from the others, before it asks.
    """
    if what not in ("approve", "reject"):
        raise InvalidRequest(f"A batch is approved or rejected; got {what!r}.")
    ids = request_ids or _waiting(queue, tool, url, key)
    shown = call("POST", "/approvals/batch/preview", url=url, key=key, body={"request_ids": ids})
    if not as_json:
        _show(shown)
    if not yes:
        typer.confirm(f"{what.capitalize()} these {len(ids)}?", abort=True, err=as_json)
    body = {"type": what, "request_ids": ids, "batch_digest": shown["batch_digest"], "reason": reason}
    done = call("POST", "/approvals/batch", url=url, key=key, body=body | {"reason_code": code})
    if as_json:
        show_json(done)
    else:
        waiting = sum(one["decision"] is None for one in done["decided"])
        say(f"{len(done['decided'])} decided{f', of which {waiting} wait for others' if waiting else ''}.")
        for one in done["refused"]:
            say(f"[red]{one['request_id']} was refused[/red] [dim]({one['code']})[/dim] {escape(one['detail'])}")
    if done["refused"]:
        raise typer.Exit(1)


def _waiting(queue: str, tool: str, url: str, key: str) -> list[str]:
    if not queue or not tool:
        raise InvalidRequest("Name the requests, or --queue and --tool.", hint="See: gatehouse approvals list")
    query: dict[str, Any] = {"queue": queue, "tool": tool, "limit": _MOST}
    found = call("GET", "/approvals", url=url, key=key, query=query)
    if not found:
        raise InvalidRequest(f"Nothing waits in {queue!r} for {tool!r}.")
    return [request["request_id"] for request in found]


def _show(shown: dict[str, Any]) -> None:
    outliers = set(shown["outliers"])
    show_table(
        ["request", "", "due (UTC)", "summary"],
        [
            (r["request_id"], "stands out" if r["request_id"] in outliers else "", minute(r["due_at"]), r["summary"])
            for r in shown["requests"]
        ],
    )
    for currency, of in shown["sums"].items():
        said = f"total {of['total']:,}, from {of['smallest']:,} to {of['largest']:,}, median {of['median']:,}"
        say(f"  {currency or 'sum'}: {said} [dim](minor units)[/dim]")
    if outliers:
        say(f"  [bold yellow]{len(outliers)} of them lie far from the others: look at these one by one.[/bold yellow]")
