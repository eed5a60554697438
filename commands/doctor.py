"""`gatehouse doctor`: whether this installation can work, and what to do where it cannot."""

import asyncio
from collections import Counter
from typing import Annotated

import typer
from rich.markup import escape

from commands.terminal import note, say, show_json
from contracts.errors import ConfigurationError
from engine.operations.doctor.examine import examine
from engine.operations.doctor.finding import Finding, State
from engine.settings import read_settings

_COLOURS: dict[State, str] = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False,
) -> None:
    """Examine this installation. Exit code 1 when something cannot work."""
    findings = asyncio.run(_examine())
    if as_json:
        show_json([finding.__dict__ for finding in findings])
    else:
        _print(findings)
    raise typer.Exit(1 if any(finding.state == "fail" for finding in findings) else 0)


async def _examine() -> list[Finding]:
    try:
        settings = read_settings()
    except ConfigurationError as error:
        return [Finding("settings", "fail", error.detail, error.hint or "See docs/reference/settings.md.")]
    read = Finding("settings", "ok", "Every variable can be read.")
    return [read, *[finding async for finding in examine(settings, note, tenant=settings.tenant)]]


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        state = f"[{_COLOURS[finding.state]}]{finding.state:4}[/]"
        say(f"{state}  {finding.check:{width}}  {escape(finding.says)}")
        if finding.do:
            say(f"{'':{width + 6}}  [bold]{escape(finding.do)}[/bold]")
    counts = Counter(finding.state for finding in findings)
    say(", ".join(f"{counts[state]} {state}" for state in _COLOURS if counts[state]))
