"""Shows people and programs what a run of cases found."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contracts.approval import JsonObject
from evals.baseline import Flip, behaviour
from evals.observation import Done
from evals.run import Result
from evals.worlds.sandbox import EffectKind
from guards.money import write_amount

_COLOURS = {"passed": "green", "failed": "red", "stale": "yellow"}


def show_table(console: Console, results: Sequence[Result]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("case", "", "outcome", "asked", "done outside"):
        table.add_column(name, overflow="fold")
    for name in ("model", "tools", "ms"):
        table.add_column(name, justify="right")
    for result in results:
        seen, colour = result.observation, _COLOURS[result.status]
        table.add_row(
            escape(result.case),
            f"[{colour}]{result.status}[/]",
            seen.outcome,
            ", ".join(seen.gates) or "nobody",
            escape(effects_in_words(seen.done)),
            str(seen.model_calls),
            str(seen.tool_calls),
            f"{result.ms:.0f}",
        )
    console.print(table)


def effects_in_words(done: Done) -> str:
    """What was done outside, in one line."""
    return ", ".join(words for kind, effects in done.items() for words in _in_words(kind, effects)) or "nothing"


def _in_words(kind: EffectKind, effects: Sequence[JsonObject]) -> Iterator[str]:
    """Each sum, or how many there are of what has no sum."""
    one = kind.removesuffix("s")
    if "amount_cents" not in effects[0]:
        yield f"{len(effects)} {kind if len(effects) > 1 else one}"
        return
    for effect in effects:
        yield f"{one} {write_amount(int(str(effect['amount_cents'])), str(effect['currency']))}"


def show_failures(console: Console, results: Iterable[Result]) -> None:
    """Each failed expectation with what was expected and what was found."""
    for result in results:
        if result.status != "failed":
            continue
        console.print(f"\n[red]failed[/] [bold]{escape(result.case)}[/]: {escape(result.title)}", highlight=False)
        for failure in result.failures:
            _line(console, f"  {failure.what}")
            _line(console, f"    expected  {failure.expected}")
            _line(console, f"    was       {failure.actual}")


def show_stale(console: Console, results: Iterable[Result]) -> None:
    """Per prompt: in how many cases a call finds no recording, and the first of them with what changed."""
    by_prompt: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.missed:
            by_prompt[result.missed[0].prompt].append(result)
    for prompt, stale in sorted(by_prompt.items()):
        first, stage = stale[0], stale[0].observation.problem.get("stage", "")
        where = f"[yellow]stale[/] the prompt [bold]{prompt}[/] of the stage [bold]{stage}[/]"
        console.print(f"\n{where} in {len(stale)} case(s), as in {escape(first.case)}:", highlight=False)
        for line in filter(str.strip, first.missed[0].detail.splitlines()):
            _line(console, f"  {line}")
    if by_prompt:
        _line(console, "\nIf the written replies still hold, give them their new keys: gatehouse eval rekey")


def show_flips(console: Console, flips: Iterable[Flip]) -> None:
    """Each case that differs from the baseline, with its diff."""
    words = {"changed": "behaves differently", "new": "is not in the baseline", "gone": "is only in the baseline"}
    for flip in flips:
        console.print(f"\n[red]baseline[/] [bold]{escape(flip.case)}[/] {words[flip.change]}", highlight=False)
        for line in flip.diff:
            _line(console, f"  {line}")


def show_summary(console: Console, results: Sequence[Result], flips: Sequence[Flip], seconds: float) -> None:
    counts = {status: sum(result.status == status for result in results) for status in _COLOURS}
    words = ", ".join(f"[{_COLOURS[status]}]{count} {status}[/]" for status, count in counts.items() if count)
    median = statistics.median(result.ms for result in results) if results else 0
    against = f", {len(flips)} against the baseline" if flips else ""
    spent = f"{median:.0f} ms a case (median), {seconds:.1f} s in all"
    console.print(f"\n{len(results)} cases: {words or 'none run'}{against}; {spent}", highlight=False)


def as_json(results: Iterable[Result], flips: Iterable[Flip]) -> JsonObject:
    """Everything that the tables show."""
    return {
        "cases": [_result_as_json(result) for result in results],
        "baseline": [{"case": flip.case, "change": flip.change, "diff": list(flip.diff)} for flip in flips],
    }


def _result_as_json(result: Result) -> JsonObject:
    seen = result.observation
    return {
        "workflow": result.workflow,
        "case": result.case,
        "title": result.title,
        "status": result.status,
        **behaviour(seen),
        "model_calls": seen.model_calls,
        "tool_calls": seen.tool_calls,
        "errors": list(seen.errors),
        "failures": [{"what": f.what, "expected": f.expected, "actual": f.actual} for f in result.failures],
        "stale": [{"prompt": miss.prompt, "detail": miss.detail} for miss in result.missed],
        "ms": round(result.ms, 1),
    }


def _line(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
