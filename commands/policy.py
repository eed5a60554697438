"""`gatehouse policy`: what policies say, and what history says about them. It prints, and changes nothing."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from commands import policies
from commands.reviews import duration, share
from commands.terminal import explained, say, show_json, show_table
from commands.where import on_database, own_tenant
from contracts.errors import NotFound
from engine.store.database import Connection

app = typer.Typer(no_args_is_help=True, help="Policies: show, test, simulate, explain, compare, suggest.")


@app.callback()
def _root() -> None:
    """Policies: show, test, simulate, explain, compare, suggest."""


for _command in (policies.show, policies.simulate, policies.explain, policies.diff, policies.decisions):
    app.command()(_command)
app.command("test")(policies.try_fixtures)


@app.command()
@explained
def suggest(
    workflow: Annotated[str, typer.Argument(help="A workflow; by default every one.")] = "",
    last: Annotated[int, typer.Option(min=1, help="Decisions of each rule that are looked at, the newest.")] = 500,
    share_: Annotated[
        float, typer.Option("--share", min=0.5, max=0.999, help="Share of plain approvals that has to be shown.")
    ] = 0.9,
    at_least_s: Annotated[
        float,
        typer.Option("--at-least-s", min=0, help="Leave out decisions that took fewer seconds."),
    ] = 0,
    decisions: Annotated[
        Path | None, typer.Option(help="Learn from this file of decisions instead of the database.")
    ] = None,
    irreversible: Annotated[bool, typer.Option(help="Look at effects, too, that cannot be taken back.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False,
) -> None:
    """Tell which requests people always just approve, as a rule to paste, tried on the newer part of the history."""
    # Imported here because it takes seconds that `--help` need not spend.
    from engine.catalog.catalog import load_catalog  # noqa: PLC0415
    from engine.opening import find_registry  # noqa: PLC0415
    from engine.operations.automation import Wish, suggest_from, suggest_rules  # noqa: PLC0415
    from engine.operations.examples import read_examples  # noqa: PLC0415
    from engine.operations.suggestions import Demands  # noqa: PLC0415
    from engine.settings import read_settings  # noqa: PLC0415

    catalog = load_catalog(find_registry(read_settings()), routes={})
    if workflow and workflow not in list(catalog):
        raise NotFound(f"There is no workflow {workflow!r}.", hint=f"There are: {', '.join(catalog)}.")
    wish = Wish(Demands(share_, at_least_s), last, irreversible)

    wanted = [workflow] if workflow else list(catalog)

    async def look(conn: Connection) -> list[dict[str, Any]]:
        return [one for name in wanted for one in await suggest_rules(conn, catalog[name], wish, tenant=own_tenant())]

    if decisions:
        examples = read_examples(decisions)
        told = [one for name in wanted for one in suggest_from(catalog[name], examples, wish)]
    else:
        told = on_database(look)
    if as_json:
        show_json(told)
        return
    show(told)


def show(told: list[dict[str, Any]]) -> None:
    """What was found, for people."""
    columns = ["workflow", "tool", "rule", "decisions", "counted", "looked p50", "found"]
    rows = [
        (
            one["workflow"],
            one["tool"],
            one["rule"],
            one["decisions"],
            one["considered"],
            duration(one["looked_p50_s"]),
            one["refused"] or f"{len(one['suggestions'])} below",
        )
        for one in told
    ]
    show_table(columns, rows, spare=("decisions", "looked p50"))
    for one in told:
        for suggestion in one["suggestions"]:
            _show(one, suggestion)


def _show(one: dict[str, Any], suggestion: dict[str, Any]) -> None:
    older, newer = suggestion["older"], suggestion["newer"]
    say(f"\n[bold]{escape(one['workflow'])}: {escape(suggestion['says'])}[/bold]")
    say(f"  learnt from   {_held(older)}, at least {share(older['lower'])} with 95 % confidence")
    say(f"  tried on      {_held(newer)} that came later")
    say(f"  would save    {suggestion['saved_a_case']:.2f} approvals a case")
    by = ", ".join(f"{name} {times}" for name, times in suggestion["by"].items())
    looked = duration(suggestion["looked_p50_s"]) or "nobody knows how long"
    say(f"  decided by    {escape(by)}; they looked {looked} (p50)")
    for against in suggestion["against"]:
        said = " ".join(filter(None, (against["decision"], against["reason_code"], against["reason"])))
        facts = ", ".join(f"{name}={value}" for name, value in against["facts"].items())
        told = f"{against['by']}: {said} ({facts})"
        say(f"  against it    {against['request_id']}  {escape(told)}")
    say("\nIn place of the rule that asks, and beside it:\n")
    for code in (*suggestion["instead"], suggestion["allow"]):
        say(f"[cyan]{escape(code)}[/cyan],")


def _held(held: dict[str, Any]) -> str:
    return f"{held['approved']} plain approvals of {held['covered']} ({share(held['share'])})"
