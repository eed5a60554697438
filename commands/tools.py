"""`gatehouse tools`: the tools of this installation, what their contracts say, and whether they are narrow."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.importing import import_, pin_
from commands.terminal import explained, say, show_json, show_table
from contracts.tool import AnyTool

app = typer.Typer(no_args_is_help=True, help="Tools: list, show, lint, import, pin.")
app.command("import")(import_)
app.command("pin")(pin_)

AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]
_FACTS = ("effect", "reversibility", "blast_radius", "scopes", "timeout_s", "target", "idempotent_by", "preconditions")


@app.command("list")
@explained
def list_(as_json: AsJson = False) -> None:
    """List every tool that a workflow may call, with its risk."""
    found = _listed()
    if as_json:
        show_json([_facts(one.tool) | {"workflows": one.workflows} for one in found])
        return
    rows = [
        (t.name, t.version, t.effect, t.reversibility, t.blast_radius, ", ".join(one.workflows))
        for one in found
        for t in (one.tool,)
    ]
    columns = ["tool", "version", "effect", "reversibility", "reaches", "workflows"]
    show_table(columns, rows, spare=("workflows", "version"))


@app.command()
@explained
def show(
    name: Annotated[str, typer.Argument(help="A tool, as in `system.operation`.")], as_json: AsJson = False
) -> None:
    """Show one tool: contract, request and reply."""
    from engine.catalog.tools import get_tool  # noqa: PLC0415  # takes seconds that `--help` need not spend

    one = get_tool(_registry(), name)
    tool = one.tool
    schemas = {"request": tool.request.model_json_schema(), "reply": tool.reply.model_json_schema()}
    if as_json:
        show_json(_facts(tool) | {"workflows": one.workflows, **schemas, "findings": list(map(asdict, one.findings))})
        return
    say(f"[bold]{escape(tool.name)}[/bold] [dim]@{tool.version}[/dim]  {escape(tool.summary)}")
    for fact, value in _facts(tool).items():
        if fact not in ("name", "version", "summary") and value not in ("", [], None):
            said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            say(f"  {fact:14} {escape(said)}")
    say(f"  {'workflows':14} {', '.join(one.workflows)}")
    for side, schema in schemas.items():
        needed = schema.get("required", [])
        fields = [f"{field}{'' if field in needed else '?'}" for field in schema.get("properties", {})]
        say(f"  {side:14} {escape(', '.join(fields))}  [dim](see --json)[/dim]")


@app.command("lint")
@explained
def lint_(
    name: Annotated[str, typer.Argument(help="A tool; by default every one.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say which tools are not narrow, typed and bounded, and why; exit code 1 when one may not be loaded."""
    from engine.catalog.tools import get_tool  # noqa: PLC0415  # takes seconds that `--help` need not spend

    listed = [get_tool(_registry(), name)] if name else _listed()
    findings = [finding for one in listed for finding in one.findings]
    errors = sum(finding.level == "error" for finding in findings)
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            colour = "bold red" if finding.level == "error" else "yellow"
            where = f"{finding.field} " if finding.field else ""
            say(f"[{colour}]{finding.level:7}[/]  {finding.rule:22} [bold]{escape(finding.tool)}[/bold]")
            say(f"         {escape(where)}{escape(finding.says)}. {escape(finding.why)}\n         {escape(finding.do)}")
        say(f"{len(listed)} tools: {errors} errors, {len(findings) - errors} warnings.")
    raise typer.Exit(1 if errors or (strict and findings) else 0)


def _registry() -> Any:
    from engine.opening import find_registry  # noqa: PLC0415  # takes seconds that `--help` need not spend
    from engine.settings import read_settings  # noqa: PLC0415

    return find_registry(read_settings())


def _listed() -> Any:
    from engine.catalog.tools import list_tools  # noqa: PLC0415  # takes seconds that `--help` need not spend

    return list_tools(_registry())


def _facts(tool: AnyTool) -> dict[str, Any]:
    facts = {name: getattr(tool, name) for name in _FACTS}
    shown = {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}
    back = tool.compensation.tool.name if tool.compensation else None
    named = {"name": tool.name, "version": tool.version, "summary": tool.summary}
    return named | shown | {"undo": tool.undo, "compensation": back}
