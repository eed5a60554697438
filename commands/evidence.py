"""`gatehouse audit report`: what regulations and risk lists ask for, what stands here, and the tests that show it."""

import ast
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.markup import escape

from commands.terminal import explained, say, show_json

_ROWS = Path(__file__).with_name("evidence.yaml")
_ROOT = Path(__file__).parent.parent


@explained
def report(
    framework: Annotated[str, typer.Option(help="Only of this framework, as in 'EU AI Act'.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Output for programs.")] = False,
) -> None:
    """Map evidence to the EU AI Act, OWASP's agentic risks and NIST's AI RMF; exit code 1 where a test is gone."""
    rows = [row for row in evidence() if framework in ("", row["framework"])]
    checked = (_ROOT / "tests").is_dir()
    gone = [test for row in rows for test in row["tests"] if checked and not exists(test)]
    if as_json:
        show_json({"rows": rows, "tests_checked": checked, "tests_gone": gone})
    else:
        _show(rows)
        count = sum(len(row["tests"]) for row in rows)
        said = f"All {count} tests named here exist." if checked else "The tests are not installed here: not checked."
        say(said if not gone else f"[red]Tests that are gone: {escape(', '.join(gone))}[/red]")
    if gone:
        raise typer.Exit(1)


def evidence() -> list[dict[str, Any]]:
    """Every row: `framework`, `clause`, `stands`, `tests` (ids of pytest) and `missing`."""
    return list(yaml.safe_load(_ROWS.read_text()))


def exists(test: str) -> bool:
    """Whether a test's file defines it; an id without a name stands for the file."""
    path, _, name = test.partition("::")
    file = _ROOT / path
    if not file.is_file():
        return False
    tree = ast.parse(file.read_text())
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return not name or name in defined


def _show(rows: list[dict[str, Any]]) -> None:
    before = ""
    for row in rows:
        if row["framework"] != before:
            say(f"\n[bold]{escape(row['framework'])}[/bold]")
        before = row["framework"]
        say(f"  [bold]{escape(row['clause'])}[/bold]")
        say(f"    stands   {escape(row['stands'])}")
        for test in row["tests"]:
            say(f"    shown by {escape(test)}")
        say(f"    not      {escape(row['missing'])}")
    say("This says what was built and tested. It is no statement of conformity: that takes the whole and its use.")
