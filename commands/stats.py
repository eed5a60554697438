"""`gatehouse stats`: how cases ended, what they cost, and what each stage is worth, by version."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from commands.reviews import duration, share
from commands.terminal import explained, say, show_json, show_table
from commands.where import Key, Query, Url, Where, own_tenant
from engine.measures.outcomes import Span, cost_measures, outcome_measures
from engine.measures.stages import stage_measures
from engine.settings import read_settings

app = typer.Typer(
    no_args_is_help=True,
    help="Cases in figures: outcomes, cost, stages. Of this installation's database, or with --url of a server.",
)

Workflow = Annotated[str, typer.Argument(help="Only cases of this workflow.")]
Since = Annotated[
    datetime | None, typer.Option(help="Cases that have ended since then, in UTC; by default in the last 30 days.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@app.command()
@explained
def outcomes(
    workflow: Workflow = "", since: Since = None, url: Url = "", key: Key = "", as_json: AsJson = False
) -> None:
    """Show of each version how its cases ended: completed, escalated, corrected, time saved, cost."""
    span, query = _asked(workflow, since)
    minutes = read_settings().baseline_minutes
    found = Where(url, key).ask("/stats/outcomes", lambda conn: outcome_measures(conn, span, minutes), query)
    if as_json:
        show_json(found)
        return
    columns = ["workflow", "id", "ended", "completed", "escalated", "corrected", "open p50", "p95", "saved", "each"]
    show_table(columns, [_outcome(row) for row in found["versions"]], spare=("p95",))
    if any(row["untimed"] for row in found["versions"]):
        say("\nNot every decision was timed, so that less was saved: who claims a request first is timed.")
    if any(row["saved_minutes"] is None for row in found["versions"]):
        say("\nWhat is saved is known where GATEHOUSE_BASELINE_MINUTES says what a case takes a person.")


@app.command()
@explained
def cost(workflow: Workflow = "", since: Since = None, url: Url = "", key: Key = "", as_json: AsJson = False) -> None:
    """Show what cases cost in models and took in time: by outcome, by stage, and the dearest single ones."""
    span, query = _asked(workflow, since)
    found = Where(url, key).ask("/stats/costs", lambda conn: cost_measures(conn, span), query)
    if as_json:
        show_json(found)
        return
    columns = ["workflow", "id", "outcome", "cases", "cost", "each", "model calls", "tokens", "open p50", "at work p50"]
    show_table(columns, [_by_outcome(row) for row in found["outcomes"]], spare=("tokens", "model calls"))
    say()
    columns = ["workflow", "id", "stage", "cost", "calls", "failed", "tokens", "waited for it"]
    show_table(columns, [_by_stage(row) for row in found["stages"]], spare=("failed",))
    say()
    show_table(["run", "workflow", "outcome", "cost", "open"], [_dear(row) for row in found["dearest"]])


@app.command()
@explained
def stages(workflow: Workflow = "", since: Since = None, url: Url = "", key: Key = "", as_json: AsJson = False) -> None:
    """Show how often each stage sent cases another way than usual and they ended otherwise, and what it took."""
    span, query = _asked(workflow, since)
    found = Where(url, key).ask("/stats/stages", lambda conn: stage_measures(conn, span), query)
    if as_json:
        show_json(found)
        return
    decided = ["usual way", "diverted", "changed", "value", "overruled"]
    columns = ["workflow", "id", "stage", "cases", *decided, "took p50", "cost"]
    show_table(columns, [_stage(row) for row in found], spare=("usual way", "overruled"))


def _asked(workflow: str, since: datetime | None) -> tuple[Span, Query]:
    began = since.replace(tzinfo=since.tzinfo or UTC) if since else datetime.now(UTC) - timedelta(days=30)
    return Span(own_tenant(), began, workflow or None), {"since": began.isoformat(), "workflow": workflow or None}


def _version(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["workflow"], row["version"]


def _outcome(row: Mapping[str, Any]) -> tuple[object, ...]:
    rates = (share(row[f"{name}_rate"]) for name in ("completion", "escalation", "correction"))
    saved = row["saved_minutes"]
    wall = (duration(row["wall_s"]["p50"]), duration(row["wall_s"]["p95"]))
    time_saved = "" if saved is None else f"{saved / 60:.1f} h"
    return (*_version(row), row["ended"], *rates, *wall, time_saved, _money(row["cost_per_completed"]))


def _by_outcome(row: Mapping[str, Any]) -> tuple[object, ...]:
    paid = (_money(row["cost"]), _money(row["cost_per_case"]))
    times = (duration(row["wall_s"]["p50"]), duration(row["work_s"]["p50"]))
    tokens = row["tokens_read"] + row["tokens_written"]
    return (*_version(row), row["outcome"], row["cases"], *paid, row["model_calls"], tokens, *times)


def _by_stage(row: Mapping[str, Any]) -> tuple[object, ...]:
    counts = (row["calls"], row["failed"], row["tokens"])
    return (*_version(row), row["stage"], _price(row), *counts, duration(row["ms"] / 1000))


def _dear(row: Mapping[str, Any]) -> tuple[object, ...]:
    return (row["run_id"], row["workflow"], row["outcome"], _price(row), duration(row["wall_s"]))


def _price(row: Mapping[str, Any]) -> str:
    return _money({row["currency"]: row["cost"]})


def _stage(row: Mapping[str, Any]) -> tuple[object, ...]:
    overruled = f"{row['overruled']} of {row['asked_people']}" if row["asked_people"] else ""
    took = row["took_ms"]["p50"]
    decided = (row["usual"] or "", row["diverted"], row["changed"], share(row["value"]))
    return (*_version(row), row["stage"], row["cases"], *decided, overruled, f"{took:.1f} ms", _money(row["cost"]))


def _money(costs: Mapping[str, float]) -> str:
    return ", ".join(f"{cost:.4f} {currency}" for currency, cost in sorted(costs.items()) if currency)
