"""`gatehouse models`: which models answer for which alias, who would be asked, and whether they answer at all."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any

import httpx
import typer
from rich.markup import escape

from commands.routing import set_, unset
from commands.terminal import explained, say, shorten, show_json, show_table
from commands.where import Key, Url, Where, on_database, own_tenant
from contracts.errors import ConfigurationError, NotFound
from engine.catalog.catalog import load_catalog
from engine.configured import routes_of
from engine.limits.breakers import breakers_of
from engine.models.probing import Probe, probe
from engine.models.route import Route
from engine.models.routing import Alias, Border, Routing
from engine.opening import find_registry
from engine.operations.shadowed import shadowed
from engine.settings import read_settings

app = typer.Typer(no_args_is_help=True, help="Models: list routes, see which one is taken and why, try one.")

AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]
_SAID = 200
TheAlias = Annotated[str, typer.Argument(metavar="ALIAS", help="An alias, as prompts name it.")]


@app.command("list")
@explained
def list_(url: Url = "", key: Key = "", as_json: AsJson = False) -> None:
    """List every alias with its routes in order, their price and residency, and how their breakers stand."""
    broken = _breakers(url, key)
    rows = [_row(alias, use, route, broken) for alias, found in _aliases().items() for use, route in _uses(found)]
    if as_json:
        show_json(rows)
        return
    columns = ["alias", "use", "route", "model", "api", "region", "residency", "price", "breaker"]
    texts = [tuple(", ".join(v) if isinstance(v := row[name], list) else v for name in columns) for row in rows]
    show_table(columns, texts, spare=("api", "model", "price"))


@app.command()
@explained
def route(
    alias: TheAlias,
    workflow: Annotated[str, typer.Option(help="Whose class of data counts.")] = "",
    tenant: Annotated[str, typer.Option(help="Whose region counts; by default that of GATEHOUSE_TENANT.")] = "",
    url: Url = "",
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Show who would be asked, in order, and why others would not. Exit code 1 where nobody would."""
    settings = read_settings()
    catalog = load_catalog(find_registry(settings), routes={}) if workflow else {}
    data_class = catalog[workflow].policy.data_class if workflow else ""
    border = Routing({}, settings.regions).border(tenant or own_tenant(), data_class)
    broken = _breakers(url, key)
    lines = [_verdict(alias, use, each, border, broken) for use, each in _uses(_alias(alias))]
    first = next((line for line in lines if line["use"] == "route" and not line["why_not"]), None)
    if as_json:
        show_json({"alias": alias, **vars(border), "taken": first and first["route"], "routes": lines})
    else:
        _explain(lines, border, first)
    if first is None:
        raise typer.Exit(1)


@app.command()
@explained
def shadow(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run of the case.")],
    as_json: AsJson = False,
) -> None:
    """Show what second models said beside a case, and whether they agree with the first. Looks at the database."""
    found = on_database(lambda conn: shadowed(conn, run, tenant=own_tenant()))
    if as_json:
        show_json(found)
        return
    rows = [(f["prompt"], f["model"], f["shadow"], _agrees(f), f["shadow_reply"] or f["problem"]) for f in found]
    show_table(["prompt", "model", "shadow", "agrees", "said"], [(*row[:4], shorten(row[4], _SAID)) for row in rows])


app.command("set")(set_)
app.command()(unset)


@app.command("test")
@explained
def try_(
    alias: TheAlias,
    only: Annotated[str, typer.Option("--route", help="Only this route; by default all of the alias.")] = "",
    as_json: AsJson = False,
) -> None:
    """Ask each route one tiny question that carries nobody's data. Exit code 1 where one does not answer."""
    found = [each for _, each in _uses(_alias(alias)) if only in ("", each.label)]
    if not found:
        raise NotFound(f"The alias {alias!r} has no route {only!r}.", hint="gatehouse models list shows them.")
    probes = asyncio.run(_probe(found))
    if as_json:
        show_json([each.row() for each in probes])
    else:
        for each in probes:
            say(_said(each))
    if not all(each.answered for each in probes):
        raise typer.Exit(1)


def _agrees(found: dict[str, Any]) -> str:
    return {True: "yes", False: "no", None: "not known"}[found["agrees"]]


async def _probe(routes: Iterable[Route]) -> list[Probe]:
    async with httpx.AsyncClient() as http:
        return [await probe(each, http) for each in routes]


def _said(found: Probe) -> str:
    name = escape(found.route)
    if not found.answered:
        return f"[bold red]{name}[/bold red] did not answer: {escape(found.detail)} ({found.error})"
    shape = "keeps to a schema" if found.structured else "does [bold]not[/bold] keep to a schema"
    tokens = f"{found.tokens_read} tokens read, {found.tokens_written} written"
    return f"[bold]{name}[/bold] ({escape(found.model)}) answered in {found.latency_ms} ms, {shape}; {tokens}"


def _aliases() -> dict[str, Alias]:
    found = routes_of(read_settings())
    if not found:
        raise ConfigurationError(
            "No model is configured: recordings and stand-ins answer.",
            hint="Set GATEHOUSE_MODEL, GATEHOUSE_MODELS for several, or keep one with: gatehouse models set",
        )
    return found


def _alias(name: str) -> Alias:
    aliases = _aliases()
    found = Routing(aliases, {}).of(name)
    if found is None:
        raise NotFound(f"No model answers for the alias {name!r}.", hint=f"There are: {', '.join(sorted(aliases))}.")
    return found


def _uses(found: Alias) -> list[tuple[str, Route]]:
    """Every route of an alias, and what it is for."""
    uses = [("route", each) for each in found.routes]
    if tried := found.experiment:
        uses.append((f"{tried.share:.0%} of runs ({tried.name})", tried.route))
    if found.shadow:
        uses.append((f"shadow, {found.shadow.per_day} a day", found.shadow.route))
    return uses


def _breakers(url: str, key: str) -> dict[str, str]:
    found = Where(url, key).ask("/breakers", lambda conn: breakers_of(conn, tenant=own_tenant()))
    return {row["name"]: row["state"] for row in found}


def _state(alias: str, each: Route, broken: dict[str, str]) -> str:
    """Of `*` the first that is not closed: each alias has a breaker of its own."""
    kind, end = ("model:", f"/{each.label}") if alias == "*" else (f"model:{alias}/{each.label}", "")
    found = [state for name, state in broken.items() if name.startswith(kind) and name.endswith(end)]
    return next((state for state in found if state != "closed"), "closed")


def _row(alias: str, use: str, each: Route, broken: dict[str, str]) -> dict[str, Any]:
    price = f"{each.price.read:g}/{each.price.written:g} {each.price.currency}" if each.price else ""
    return {
        "alias": alias,
        "use": use,
        "route": each.label,
        "model": each.model,
        "base_url": each.public()["base_url"],
        "api": each.api,
        "region": each.region,
        "residency": list(each.residency),
        "price": price,
        "max_concurrent": each.max_concurrent,
        "breaker": _state(alias, each, broken),
    }


def _verdict(alias: str, use: str, each: Route, border: Border, broken: dict[str, str]) -> dict[str, Any]:
    state = _state(alias, each, broken)
    why_not = border.against(each) or ("its breaker is open" if state == "open" else "")
    return {"route": each.label, "use": use, "why_not": why_not, "breaker": state}


def _explain(lines: list[dict[str, Any]], border: Border, first: dict[str, Any] | None) -> None:
    say(f"The tenant's region is {border.region or 'not set'}, the class of data {border.data_class or 'not set'}.")
    for line in lines:
        taken = "taken" if line is first else "if those before it do not answer"
        stands = f"not: {line['why_not']}" if line["why_not"] else taken if line["use"] == "route" else "as well"
        say(f"  [bold]{escape(line['route'])}[/bold] ({escape(line['use'])}): {escape(stands)}")
    if first is None:
        say("Nobody is asked: the call is refused before anything leaves.")
