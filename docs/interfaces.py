"""Reference pages of what programs and operators use: HTTP routes and commands, with who may and what they take."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, get_args

import typer
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.app import ROOMS
from api.door import Anybody, Caller, Operator, Reader, Reviewer
from cli import app
from docs.markdown import page, table

_ANY = "any key"
_TAKES = ("takes", "default", "meaning")
_DOORS = {
    Caller: "callers",
    Reviewer: "reviewers",
    Operator: "operators",
    Reader: "reviewers, operators",
    Anybody: _ANY,
}
_WHO = {get_args(door)[1].dependency: who for door, who in _DOORS.items()}

Row = tuple[str, ...]


def routes_page() -> str:
    """Every HTTP route by subject: what it is for and whose key it wants."""
    lead = (
        "Every route. Bodies, parameters and answers stand in the OpenAPI document that a server shows at `/docs` and"
        " gives at `/openapi.json`. A key comes as `x-api-key` or as bearer token and sees its tenant alone; operators"
        " may do what callers may. What is refused is a problem document: see [Errors](errors.md). What clients of the"
        " LangGraph API get from these routes: [The LangGraph API](langgraph-api.md)."
    )
    by_subject: dict[str, list[Row]] = defaultdict(list)
    for route in (route for room in ROOMS for route in room.router.routes if isinstance(route, APIRoute)):
        for method in sorted(route.methods or ()):
            row = (f"`{method} {route.path_format}`", _who(route.dependant), _sentences(route.description))
            by_subject[str(route.tags[0])].append(row)
    parts = [f"## {name.capitalize()}\n\n{table(('route', 'for', 'what'), rows)}" for name, rows in by_subject.items()]
    return page("HTTP", lead, *parts)


def commands_page() -> str:
    """Every command with its arguments and options."""
    lead = "Every command of `gatehouse`, as `--help` tells it. Errors go to standard error and end with exit code 2."
    root: Any = typer.main.get_command(app)
    context = typer.Context(root)
    top = [root.get_command(context, name) for name in root.list_commands(context)]
    return page("Commands", lead, *(part for command in top for part in _command(command, "gatehouse")))


def _who(dependant: Dependant) -> str:
    """Whose key a route wants; "" where it wants none."""
    found = [_WHO[call] for call in _calls(dependant) if call in _WHO]
    return next((who for who in found if who != _ANY), found[0] if found else "")


def _calls(dependant: Dependant) -> Iterator[Any]:
    for needed in dependant.dependencies:
        yield needed.call
        yield from _calls(needed)


def _command(command: Any, behind: str) -> Iterator[str]:
    name = f"{behind} {command.name}"
    if hasattr(command, "commands"):
        rows = [_parameter(each) for each in command.params if not getattr(each, "hidden", False)]
        yield "\n\n".join([f"## {name}", _sentences(command.help), *([table(_TAKES, rows)] if rows else [])])
        for inner in command.commands.values():
            yield from _command(inner, name)
        return
    mark = "##" if behind == "gatehouse" else "###"
    arguments = "".join(f" {_argument(each)}" for each in command.params if each.param_type_name == "argument")
    parts = [f"{mark} {name}{arguments}", _sentences(command.help)]
    rows = [_parameter(each) for each in command.params if not getattr(each, "hidden", False)]
    if rows:
        parts.append(table(_TAKES, rows))
    yield "\n\n".join(parts)


def _argument(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper().strip("{}[]")
    return name if argument.required else f"[{name}]"


def _parameter(parameter: Any) -> Row:
    if parameter.param_type_name == "argument":
        name = _argument(parameter)
    else:
        name = parameter.opts[0] + ("" if parameter.is_flag else f" {(parameter.metavar or parameter.name).upper()}")
    variable = f" (`{parameter.envvar}`)" if getattr(parameter, "envvar", None) else ""
    plain = parameter.default in (None, "", False, [], ()) or callable(parameter.default)
    default = "required" if parameter.required else "" if plain else f"`{parameter.default}`"
    return f"`{name}`", default, f"{_sentences(parameter.help)}{variable}"


def _sentences(text: str | None) -> str:
    return " ".join((text or "").split())
