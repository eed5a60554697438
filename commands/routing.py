"""`gatehouse models set`: change the routes that are kept in a file, and say for whom that is a new version."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.terminal import explained, say, show_json
from contracts.errors import ConfigurationError
from engine.catalog.catalog import load_catalog
from engine.models.kept_routes import keep_routes, label_of, read_routes, with_route, without_route
from engine.opening import find_registry
from engine.settings import Settings, read_settings

Said = dict[str, Any]


TheAlias = Annotated[str, typer.Argument(metavar="ALIAS", help="As prompts name it; * for all others.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be kept, and keep nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]


@explained
def set_(
    alias: TheAlias,
    members: Annotated[
        list[str] | None, typer.Argument(metavar="MEMBER=VALUE", help="Of the route, as GATEHOUSE_MODELS has them.")
    ] = None,
    route: Annotated[str, typer.Option(help="Which route, or the name of a new one; by default the only one.")] = "",
    place: Annotated[int | None, typer.Option(min=1, help="Its place in the order; 1 is asked first.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Change one route of an alias, or add one: models set writer model=gpt-4o region=eu

    Routes are kept in models.json of the home folder, or in GATEHOUSE_MODELS_FILE, and count for what starts from
    then on. An alias in GATEHOUSE_MODELS counts over it. Keys are given as references: api_key=secret://env/NAME
    """
    said = dict(map(_member, members or ()))
    if not (said or place):
        raise ConfigurationError("Nothing was said of the route.", hint="Say its members: model=gpt-4o region=eu")
    _change(alias, lambda before: with_route(before, route or _only(before), said, place), dry_run, as_json)


@explained
def unset(
    alias: TheAlias,
    route: Annotated[str, typer.Option(help="Which route; by default the only one.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take a route out that `models set` has kept."""
    _change(alias, lambda before: without_route(before, route or _only(before)), dry_run, as_json)


def _change(alias: str, change: Callable[[list[Said]], list[Said]], dry_run: bool, as_json: bool) -> None:
    settings = read_settings()
    path, kept = settings.kept_routes, read_routes(settings.kept_routes)
    after = change(kept.get(alias, []))
    changed = {other: routes for other, routes in {**kept, alias: after}.items() if routes}
    concerned = _concerned(settings, alias, changed)
    if not dry_run:
        keep_routes(path, changed)
    if as_json:
        show_json({"alias": alias, "routes": after, "kept": not dry_run, "new_version_of": concerned})
        return
    _tell(alias, after, concerned)
    say(f"Nothing was kept in {escape(str(path))}." if dry_run else f"Kept in {escape(str(path))}.")
    counts = [] if dry_run else [each.label for each in read_settings().all_models().get(alias, [])]
    if counts and counts != list(map(label_of, after)):
        say("Not counted: the environment says something else of this alias, and it counts over the file.")


def _only(before: list[Said]) -> str:
    """The name of the only route; empty where there is none."""
    if len(before) > 1:
        raise ConfigurationError("This alias has several routes.", hint="Say which with --route, or a new name.")
    return label_of(before[0]) if before else ""


def _member(text: str) -> tuple[str, Any]:
    """`residency=["health"]` is JSON, `region=eu` text."""
    name, given, value = text.partition("=")
    if not given:
        raise ConfigurationError(f"{text!r} is no member with its value.", hint="Write it as region=eu")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _concerned(settings: Settings, alias: str, changed: dict[str, list[Said]]) -> list[str]:
    """Workflows whose prompts ask this alias: routes are part of their version."""
    catalog = load_catalog(find_registry(settings), routes={})
    others = set(changed) | set(settings.models)
    return sorted(
        workflow.name
        for workflow in catalog.values()
        if any(p.alias == alias or (alias == "*" and p.alias not in others) for p in workflow.prompts.values())
    )


def _tell(alias: str, after: list[Said], concerned: list[str]) -> None:
    names = " → ".join(f"[bold]{escape(label_of(each))}[/bold]" for each in after) or "nobody"
    say(f"{escape(alias)}: {names}")
    if concerned:
        say(f"A new version of {', '.join(concerned)}, once servers and workers start anew.")
