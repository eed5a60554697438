"""`gatehouse runs state` and `steps`: a case's state at any checkpoint, and where two of them differ."""

import json
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from commands.terminal import explained, say, shorten, show_json, show_table
from commands.where import Key, Url, Where, own_tenant
from contracts.errors import NotFound
from engine.operations.cases import show_run
from engine.operations.differences import differences

Json = dict[str, Any]

RunId = Annotated[UUID, typer.Argument(metavar="RUN", help="Id of a run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]
_STATES = 1000


@explained
def state(
    run: RunId,
    at: Annotated[str, typer.Option(help="Step, or id of a checkpoint; by default the newest.")] = "",
    diff: Annotated[str, typer.Option(help="Step or checkpoint to compare with: what changed from there.")] = "",
    url: Url = "",
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Show the state of a run's case at a checkpoint, or what changed since another one."""
    states = states_of_case(run, Where(url, key))
    shown = state_at(states, at)
    if diff:
        _print_changes(state_at(states, diff), shown, as_json)
    elif as_json:
        show_json(shown)
    else:
        say(_headline(shown))
        say(escape(json.dumps(shown["values"], indent=2, ensure_ascii=False)))


@explained
def steps(run: RunId, url: Url = "", key: Key = "", as_json: AsJson = False) -> None:
    """List the checkpoints of a run's case: what stood next at each."""
    rows = [_step(found) for found in reversed(states_of_case(run, Where(url, key)))]
    if as_json:
        show_json(rows)
        return
    listed = [(r["step"], r["id"], r["at"][:19].replace("T", " "), ", ".join(r["next"]) or "(ended)") for r in rows]
    show_table(["step", "id", "at (UTC)", "next"], listed)


def states_of_case(run: UUID, where: Where) -> list[Json]:
    """States of the run's thread, newest first; at most a thousand. Raises `NotFound` where there is none."""
    thread = where.ask(f"/runs/{run}", lambda conn: show_run(conn, str(run), tenant=own_tenant()))["thread_id"]
    return states_of_thread(thread, where.send)


def states_of_thread(thread_id: str, send: Callable[[str, str, Any], Any]) -> list[Json]:
    """The same for a thread."""
    states: list[Json] = send("POST", f"/threads/{thread_id}/history", {"limit": _STATES})
    if not states:
        raise NotFound(f"Thread {thread_id} has no checkpoint: no run has begun, or its state was pruned.")
    return states


def state_at(states: list[Json], place: str) -> Json:
    """The state at a step or checkpoint; the newest for "". Raises `NotFound` naming the steps there are."""
    if not place:
        return states[0]
    for found in states:
        if place in (str(found["metadata"].get("step")), found["checkpoint"]["checkpoint_id"]):
            return found
    first, last = states[-1]["metadata"].get("step"), states[0]["metadata"].get("step")
    raise NotFound(
        f"There is no step or checkpoint {place!r}.", hint=f"Steps go from {first} to {last}: gatehouse runs steps RUN"
    )


def _headline(shown: Json) -> str:
    coming = ", ".join(shown["next"]) or "nothing: it has ended"
    step, checkpoint = shown["metadata"].get("step"), shown["checkpoint"]["checkpoint_id"]
    return (
        f"[bold]step {step}[/bold] of {shown['created_at'][:19]}, next: [bold]{coming}[/bold] [dim]{checkpoint}[/dim]"
    )


def _step(found: Json) -> Json:
    step = {"step": found["metadata"].get("step"), "id": found["checkpoint"]["checkpoint_id"]}
    return step | {"at": found["created_at"], "next": found["next"], "run_id": found["metadata"].get("run_id")}


def _print_changes(before: Json, after: Json, as_json: bool) -> None:
    changes = differences(before["values"], after["values"])
    if as_json:
        show_json({"from": before["checkpoint"], "to": after["checkpoint"], "changes": changes})
        return
    say(f"from {_headline(before)}\nto   {_headline(after)}")
    if not changes:
        say("Nothing changed.")
    for change in changes:
        old, new = (json.dumps(change[side], ensure_ascii=False) for side in ("before", "after"))
        say(f"  [bold]{escape(change['path'])}[/bold]: {escape(shorten(old))} → {escape(shorten(new))}")
