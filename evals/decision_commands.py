"""`gatehouse eval decisions`: what people decided in recorded cases, as examples for whoever learns from decisions."""

from pathlib import Path
from typing import Annotated

import typer

from evals.decided import write_decisions
from evals.results import read_results
from evals.speaking import errors_shown


def decisions_command(
    results: Annotated[Path, typer.Argument(help="What `eval run --json` has written.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where they go.")] = Path("decisions.jsonl"),
) -> None:
    """Write what people decided in a run's cases as examples, for `policy suggest --decisions`."""
    with errors_shown():
        written = write_decisions(read_results(results), output)
    typer.echo(f"{output} holds {written} decisions.")
