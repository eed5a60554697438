"""`gatehouse queues`: what reviewers have before them, and new work stopped and let in again."""

from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape

from commands.client import DEFAULT_URL, Key, Url, call
from commands.terminal import explained, minute, say, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Review queues: list, look at, pause, resume.")

Name = Annotated[str, typer.Argument(metavar="QUEUE", help="Name of a queue.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit trail.", prompt=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@app.command("list")
@explained
def list_(url: Url = DEFAULT_URL, key: Key = "", as_json: AsJson = False) -> None:
    """List queues: what waits or is on its way, how much they take, and whether they take anything now."""
    found = call("GET", "/queues", url=url, key=key)
    if as_json:
        show_json(found)
        return
    columns = ["queue", "takes", "depth", "capacity", "overdue", "oldest", "refused"]
    show_table(columns, [_row(queue) for queue in found], spare=("oldest", "overdue"))


@app.command()
@explained
def stats(
    queue: Annotated[str | None, typer.Argument(help="Name of a queue; by default every one is shown.")] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Show a queue: its terms, how it stands, and when it took no new case."""
    names = [queue] if queue else [each["name"] for each in call("GET", "/queues", url=url, key=key)]
    found = [call("GET", f"/queues/{quote(name, safe='')}", url=url, key=key) for name in names]
    if as_json:
        show_json(found[0] if queue else found)
        return
    for each in found:
        print_queue(each)


@app.command()
@explained
def pause(queue: Name, reason: Reason, url: Url = DEFAULT_URL, key: Key = "", as_json: AsJson = False) -> None:
    """Take no new case: callers are told to come later, schedules wait. What was accepted goes on."""
    _stop(queue, "pause", reason, url, key, as_json)


@app.command()
@explained
def resume(queue: Name, reason: Reason, url: Url = DEFAULT_URL, key: Key = "", as_json: AsJson = False) -> None:
    """Take new cases again."""
    _stop(queue, "resume", reason, url, key, as_json)


def print_queue(queue: dict[str, Any]) -> None:
    """A queue as operators read it."""
    say(f"[bold]{escape(queue['name'])}[/bold]: {_takes(queue)}")
    say(f"  cases     {queue['depth']} wait or are on their way, of {queue['capacity'] or 'any number'}")
    oldest = _time(queue["oldest_waited_s"])
    say(f"  requests  {queue['open']} open, {queue['overdue']} overdue, the oldest has waited {oldest}")
    say(f"  terms     due after {_time(queue['target_s'])}, warned after {_time(queue['warn_s'])}, {_hours(queue)}")
    for level in queue["escalation"]:
        say(f"  goes up   to {escape(level['to'])} {escape(level['role'])} after {_time(level['after_s'])}")
    say(f"  last 30 days: {queue['refused']} refused, {_time(queue['throttled_s'])} without new cases")
    for period in queue["throttles"]:
        until = minute(period["until"]) if period["until"] else "now"
        say(f"    {minute(period['since'])} to {until}  {period['cause']}, {period['refused']} refused")


def _stop(queue: str, what: str, reason: str, url: str, key: str, as_json: bool) -> None:
    found = call("POST", f"/queues/{quote(queue, safe='')}/{what}", url=url, key=key, body={"reason": reason})
    if as_json:
        show_json(found)
    else:
        say(f"{escape(queue)}: {_takes(found)}")


def _takes(queue: dict[str, Any]) -> str:
    if queue["paused"]:
        return f"paused by {escape(queue['paused']['by'])} ({escape(queue['paused']['reason'])})"
    if queue["throttled"]:
        return f"takes no new case ({queue['throttled']['cause']})"
    return "takes new cases"


def _row(queue: dict[str, Any]) -> tuple[Any, ...]:
    takes = "paused" if queue["paused"] else "nothing" if queue["throttled"] else "new cases"
    capacity, oldest = queue["capacity"] or "", _time(queue["oldest_waited_s"])
    return (queue["name"], takes, queue["depth"], capacity, queue["overdue"], oldest, queue["refused"])


def _hours(queue: dict[str, Any]) -> str:
    hours = queue["hours"]
    return f"{hours['opens']} to {hours['closes']} {hours['timezone']}" if hours else "around the clock"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
