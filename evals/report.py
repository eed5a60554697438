"""Shows people and programs what a run of cases found."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contracts.approval import JsonObject
from evals.baseline import Flip, behaviour
from evals.comparing import Compared
from evals.live_gate import passed_of
from evals.observation import Observation
from evals.run import Result
from evals.running import Ran
from evals.voices import Spent
from evals.worlds.sandbox import EffectKind
from guards.money import write_amount

Diffs = Mapping[tuple[str, str], Sequence[str]]
"""How prompts have changed since a baseline was accepted, by workflow and prompt."""

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
            escape(effects_in_words(seen)),
            str(seen.model_calls),
            str(seen.tool_calls),
            f"{result.ms:.0f}",
        )
    console.print(table)


def effects_in_words(seen: Observation) -> str:
    """What was done outside, in one line."""
    if seen.recorded:
        return ", ".join(str(call["tool"]) for call in seen.executed) or "nothing"
    return ", ".join(words for kind, effects in seen.done.items() for words in _in_words(kind, effects)) or "nothing"


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


def show_stale(console: Console, results: Iterable[Result], diffs: Diffs) -> None:
    """Per prompt: in how many cases a call finds no recording, and what changed; else the first of them."""
    by_prompt: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        if result.missed:
            by_prompt[result.workflow, result.missed[0].prompt].append(result)
    for (workflow, prompt), stale in sorted(by_prompt.items()):
        first, stage = stale[0], stale[0].observation.problem.get("stage", "")
        what = "tool" if "." in prompt else "prompt"
        where = f"[yellow]stale[/] the {what} [bold]{prompt}[/] of the stage [bold]{stage}[/]"
        console.print(f"\n{where} in {len(stale)} case(s), as in {escape(first.case)}:", highlight=False)
        for line in filter(str.strip, first.missed[0].detail.splitlines()):
            _line(console, f"  {line}")
        for line in diffs.get((workflow, prompt), []):
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


def show_compared(console: Console, compared: Compared) -> None:
    """Each case that went otherwise, with both ways and where they part; then what it is worth."""
    for one in compared.divergences:
        console.print(f"\n[bold]{escape(one.case)}[/] {one.change}", highlight=False)
        for label, turn in (("before", one.before), ("after", one.after)):
            if turn:
                _line(console, f"  {label:<7} {' > '.join((*turn.path, turn.outcome))}")
        if one.where:
            _line(console, f"  parts   {one.where}")
    if compared.stale:
        _line(console, f"\nstale: {', '.join(compared.stale)}")
    if compared.rates:
        _line(console, f"\n{compared.rates.answer}: {compared.rates.why}")
    if (people := compared.decisions).by_people:
        said = f"would have changed {len(people.changed)} of {people.by_people} human decisions"
        _line(console, f"\n{said}, and asked for {len(people.asked_anew)} more")
    _line(console, f"\n{compared.shared} cases in both, {len(compared.divergences)} differ")


def show_live(console: Console, ran: Ran) -> None:
    """Of a live run how often each case passed, what asking took, and what it all is worth."""
    if ran.rates is None:
        return
    for name, passed in passed_of(ran.results).items():
        if not all(passed):
            _line(console, f"  {name} passed {sum(passed)} of {len(passed)} times")
    spent = Spent.sum([result.observation.spent for result in ran.results])
    cost = ", ".join(f"{currency} {value / 1e6:.4f}" for currency, value in spent.cost.items()) or "no known price"
    took = f"{spent.read:,} + {spent.written:,} tokens, {spent.ms / 1000:.1f} s of waiting, {cost}"
    _line(console, f"\nlive: {spent.calls} calls of models, {took}")
    _line(console, f"{ran.rates.answer}: {ran.rates.why}")


def show_summary(console: Console, ran: Ran, seconds: float) -> None:
    results = ran.results
    for where in dict.fromkeys(ran.connections):
        console.print(f"[red]network[/] something asked for {escape(where)}, and did not get it", highlight=False)
    counts = {status: sum(result.status == status for result in results) for status in _COLOURS}
    words = ", ".join(f"[{_COLOURS[status]}]{count} {status}[/]" for status, count in counts.items() if count)
    against = f", {len(ran.flips)} against the baseline" if ran.flips else ""
    median, graph = (medians_of(results)[name] for name in ("ms", "graph_ms"))
    spent = f"{median:.0f} ms a case (median), {graph:.0f} of them the run itself; {seconds:.1f} s in all"
    over = f"; {len(ran.connections)} network connections asked for"
    console.print(f"\n{len(results)} cases: {words or 'none run'}{against}; {spent}{over}", highlight=False)


def medians_of(results: Sequence[Result]) -> dict[str, float]:
    """What a case takes, and what of it the run itself takes: the floor, which is there without an eval, too."""
    if not results:
        return {"ms": 0.0, "graph_ms": 0.0}
    return {
        "ms": round(statistics.median(result.ms for result in results), 1),
        "graph_ms": round(statistics.median(result.observation.graph_ms for result in results), 1),
    }


def as_json(ran: Ran) -> JsonObject:
    """Everything that the tables show."""
    return {
        "cases": [_result_as_json(result) for result in ran.results],
        "baseline": [{"case": flip.case, "change": flip.change, "diff": list(flip.diff)} for flip in ran.flips],
        "prompts": [
            {"workflow": workflow, "prompt": prompt, "diff": list(lines)}
            for (workflow, prompt), lines in ran.diffs.items()
        ],
        "connections": list(ran.connections),
        "mode": "live" if ran.rates else "replay",
        **({"rates": dict(vars(ran.rates)), "spent": _spent(ran)} if ran.rates else {}),
        "median": dict(medians_of(ran.results)),
    }


def _spent(ran: Ran) -> JsonObject:
    return Spent.sum([result.observation.spent for result in ran.results]).as_json()


def _result_as_json(result: Result) -> JsonObject:
    seen = result.observation
    return {
        "workflow": result.workflow,
        "case": result.case,
        "turn": result.turn,
        "title": result.title,
        "status": result.status,
        **behaviour(seen),
        "decisions": list(seen.decisions),
        "model_calls": seen.model_calls,
        "tool_calls": seen.tool_calls,
        "errors": list(seen.errors),
        "failures": [{"what": f.what, "expected": f.expected, "actual": f.actual} for f in result.failures],
        "stale": [{"prompt": miss.prompt, "detail": miss.detail} for miss in result.missed],
        "ms": round(result.ms, 1),
        "graph_ms": round(seen.graph_ms, 1),
    }


def _line(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
