"""`gatehouse versions`: which cases stand on which version of a workflow, and moving them, as an operator."""

import json
from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.client import DEFAULT_URL, Key, Url, call
from commands.terminal import explained, minute, say, shorten, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Versions of workflows: list, compare, drain, migrate.")

Reason = Annotated[str, typer.Option(help="Why; kept in the audit trail.", prompt=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@app.command("list")
@explained
def list_(url: Url = DEFAULT_URL, key: Key = "", as_json: AsJson = False) -> None:
    """List the versions that were seen, the newest first, with the cases that stand on each."""
    found = call("GET", "/versions", url=url, key=key)
    if as_json:
        show_json(found)
        return
    rows = [
        (v["digest"], v["workflow"], minute(v["first_seen_at"]), _standing(v), v["active"], v["parked"], v["held"])
        for v in found
    ]
    show_table(
        ["id", "workflow", "first seen (UTC)", "stands", "active", "parked", "held"], rows, spare=("first seen (UTC)",)
    )


@app.command()
@explained
def diff(
    before: Annotated[str, typer.Argument(help="A version.")],
    after: Annotated[str, typer.Argument(help="Another one.")],
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Show in which file, prompt, tool, rule or route two versions differ."""
    found = call("GET", f"/versions/{before}/diff/{after}", url=url, key=key)
    if as_json:
        show_json(found)
        return
    if not found:
        say("They do not differ.")
    for change in found:
        say(f"[bold]{escape(change['part'])}[/bold]\n  - {_value(change['before'])}\n  + {_value(change['after'])}")


@app.command()
@explained
def drain(
    version: Annotated[str, typer.Argument(help="The version under which no new run shall start.")],
    reason: Reason,
    end: Annotated[bool, typer.Option("--end", help="Let runs start under it again.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Let no new run start under a version, and show what still waits on it."""
    path = f"/versions/{version}/drain/end" if end else f"/versions/{version}/drain"
    answer = call("POST", path, url=url, key=key, body={"reason": reason})
    if as_json:
        show_json(answer)
    elif end:
        say(f"Runs may start under {version} again.")
    else:
        say(f"No new run starts under {version}. Cases that wait on it: {_parked(answer['parked'])}.")


@app.command()
@explained
def migrate(
    which: Annotated[str, typer.Argument(help="Id of a run, for its case; or `all` that stand on --from.")],
    reason: Reason,
    source: Annotated[str, typer.Option("--from", help="The version to which the cases are pinned.")],
    to: Annotated[str, typer.Option(help="The loaded version under which they go on.")],
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Have cases go on under the loaded version; exit code 1 when some would not be what was asked about."""
    body = {"from": source, "to": to, "reason": reason}
    done = _migrated(body | ({"all": True} if which == "all" else {"run_id": which}), url, key)
    say(f"{len(done['moved'])} case(s) go on under {to}.")
    for refused in done["refused"]:
        say(f"[red]{refused['run_id']}[/red] stays ({refused['code']}): {escape(refused['why'])}")
    if done["refused"]:
        raise typer.Exit(1)


def _migrated(body: dict[str, Any], url: str, key: str) -> dict[str, list[Any]]:
    done: dict[str, list[Any]] = {"moved": [], "refused": []}
    after: int | None = 0
    while after is not None:
        part = call("POST", "/versions/migrations", url=url, key=key, body=body | {"after": after})
        for name in done:
            done[name] += part[name]
        after = part["next"]
    return done


def _standing(version: dict[str, Any]) -> str:
    drained = f"drained by {version['drained_by']}" if version["drained_by"] else ""
    return ", ".join(word for word in ("loaded" if version["loaded"] else "", drained) if word)


def _parked(stages: list[dict[str, Any]]) -> str:
    return ", ".join(f"{row['waiting']} at {row['stage']}" for row in stages) or "none"


def _value(value: Any) -> str:
    return "[dim]none[/dim]" if value is None else escape(shorten(json.dumps(value)))
