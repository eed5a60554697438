"""How review goes, on a terminal: by queue and by person."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from commands.client import DEFAULT_URL, Key, Url, call
from commands.terminal import explained, say, show_json, show_table

_KINDS = ("approve", "edit", "reject", "respond")


@explained
def stats(
    days: Annotated[float, typer.Option(min=0, help="How far back it looks.")] = 30,
    queue: Annotated[str, typer.Option(help="Only this queue.")] = "",
    workflow: Annotated[str, typer.Option(help="Only requests of this workflow.")] = "",
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False,
) -> None:
    """Measure review: what was decided, how long it took, what waits, how people decided."""
    since = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    query = {"since": since} | {name: value for name, value in {"queue": queue, "workflow": workflow}.items() if value}
    found = call("GET", "/stats/reviews", url=url, key=key, query=query)
    if as_json:
        show_json(found)
        return
    columns = [
        "queue",
        "waiting",
        "oldest",
        "asked",
        "decided",
        "p50",
        "p95",
        "breached",
        "agreed",
        "throttled",
        "caught",
    ]
    show_table(
        columns, [_queue(row) for row in found["queues"]], spare=("asked", "agreed", "oldest", "throttled", "caught")
    )
    say()
    columns = ["reviewer", "decided", *_KINDS, "looked p50", "looked p95", "caught"]
    show_table(columns, [_reviewer(row) for row in found["reviewers"]], spare=("respond", "edit"))


def _queue(row: Mapping[str, Any]) -> tuple[object, ...]:
    took = row["time_to_decision_s"]
    waits = (row["queue"], row["depth"], duration(row["oldest_s"]), row["asked"], row["decided"])
    return (
        *waits,
        duration(took["p50"]),
        duration(took["p95"]),
        share(row["breach_rate"]),
        share(row["agreement"]["share"]),
        duration(row["throttled_s"]),
        _caught(row["canaries"]),
    )


def _reviewer(row: Mapping[str, Any]) -> tuple[object, ...]:
    looked = row["seconds_per_decision"]
    kinds = (row["decisions"][kind] for kind in _KINDS)
    times = (duration(looked["p50"]), duration(looked["p95"]))
    return row["by"], row["decided"], *kinds, *times, _caught(row["canaries"])


def _caught(canaries: Mapping[str, Any]) -> str:
    """Of the canaries that were decided; "" where there were none."""
    return f"{canaries['caught']} of {canaries['decided']}" if canaries["decided"] else ""


def duration(seconds: float | None) -> str:
    """As people read it: `40 s`, `12 min`, `3.5 h`, `2.0 d`; "" where there is none."""
    if seconds is None:
        return ""
    for unit, size, limit in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < limit:
            return f"{seconds / size:.{1 if unit == 'h' else 0}f} {unit}"
    return f"{seconds / 86_400:.1f} d"


def share(part: float | None) -> str:
    """A share as people read it; "" where there is none."""
    return "" if part is None else f"{part:.0%}"
