"""A run of cases as one HTML page that needs nothing else, in light and dark: figures, what differs, every case."""

import json
import statistics
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from evals.comparing import Compared, Divergence
from evals.fault_matrix import FoundFaults, FoundOnPath, rows_of
from evals.results import RanCases, Turn
from evals.significance import pass_hat, wilson

_STYLE = Path(__file__).with_name("page.css")
_WORDS = {
    "broken": "passed before and does not any more",
    "mended": "passes now",
    "differs": "goes another way",
    "new": "is new",
    "gone": "is gone",
}


def page_of(ran: RanCases, compared: Compared, beside: str, faults: FoundFaults | None = None) -> str:
    """The page; `beside` is what the run was compared with, in words."""
    found = [*_head(ran), *_differences(compared, beside), *_failures(ran.cases), *_rates(ran)]
    broken = [*_faults(faults), *_paths(faults.paths)] if faults else []
    parts = [*found, *broken, *_cases(ran.cases)]
    style = _STYLE.read_text(encoding="utf-8")
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Evals</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><style>{style}</style></head><body>'
    )
    return "\n".join([head, *parts, "</body></html>\n"])


def _head(ran: RanCases) -> Iterator[str]:
    yield f"<h1>Evals</h1><p class=dim>{escape(', '.join(sorted({turn.workflow for turn in ran.cases})))}</p>"
    yield "<div class=figures>"
    for status in ("passed", "failed", "stale"):
        yield f"<div><b class={status}>{sum(turn.status == status for turn in ran.cases)}</b>{status}</div>"
    if ran.cases:
        yield f"<div><b>{statistics.median(turn.ms for turn in ran.cases):.0f} ms</b>a case (median)</div>"
        yield f"<div><b>{sum(turn.model_calls for turn in ran.cases)}</b>model calls</div>"
        yield f"<div><b>{sum(turn.tool_calls for turn in ran.cases)}</b>tool calls</div>"
    yield "</div>"


def _differences(compared: Compared, beside: str) -> Iterator[str]:
    found = compared.divergences
    yield f"<h2>Beside {escape(beside)}</h2>"
    if compared.rates:
        yield f"<p><b>{compared.rates.answer}</b>: {escape(compared.rates.why)}</p>"
    yield f"<p class=dim>{compared.shared} cases in both, {len(found)} differ</p>"
    for one in found:
        yield f"<article><h3><span class={one.change}>{escape(one.case)}</span> {_WORDS[one.change]}</h3>"
        yield from _timelines(one)
        yield "</article>"


def _timelines(one: Divergence) -> Iterator[str]:
    if one.where:
        yield f"<p>first divergence: {escape(one.where)}</p>"
    if one.before is None or one.after is None:
        return
    before, after = one.before.path, one.after.path
    fork = next((at for at, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), None)
    fork = min(len(before), len(after)) if fork is None and before != after else fork
    yield _way("before", before, one.before.outcome, fork)
    yield _way("after", after, one.after.outcome, fork)
    for name in ("gates", "effects", "problem"):
        if (was := getattr(one.before, name)) != (is_ := getattr(one.after, name)):
            yield f"<pre>{name}\n- {escape(_said(was))}\n+ {escape(_said(is_))}</pre>"


def _way(label: str, path: Sequence[str], outcome: str, fork: int | None) -> str:
    stages = [
        f"<span class='stage{' other' if at == fork else ''}'>{escape(stage)}</span>" for at, stage in enumerate(path)
    ]
    return f"<div class=way><span>{label}</span>{''.join(stages)}<b>{escape(outcome)}</b></div>"


def _failures(turns: Sequence[Turn]) -> Iterator[str]:
    failed = [turn for turn in turns if turn.status == "failed"]
    if failed:
        yield "<h2>Failed</h2>"
    for turn in failed:
        yield f"<article><h3 class=failed>{escape(turn.name)}</h3><p>{escape(turn.title)}</p>"
        for one in turn.failures:
            said = f"{one.what}\n  expected  {one.expected}\n  was       {one.actual}"
            yield f"<pre>{escape(said)}</pre>"
        yield "</article>"


def _rates(ran: RanCases) -> Iterator[str]:
    """By workflow, for cases that were played several times."""
    if max((turn.turn for turn in ran.cases), default=1) == 1:
        return
    yield "<h2>Turns</h2><div class=table><table><tr><th>workflow<th class=number>pass rate<th>95 %<th>pass^k</tr>"
    for workflow in sorted({turn.workflow for turn in ran.cases}):
        own = {name: t for name, t in ran.by_case.items() if t[0].workflow == workflow}
        passed = [turn.status == "passed" for turns in own.values() for turn in turns]
        around = wilson(sum(passed), len(passed))
        by_case = {name: [turn.status == "passed" for turn in turns] for name, turns in own.items()}
        likely = [pass_hat(by_case, k) for k in range(1, max(map(len, own.values())) + 1)]
        shown = ", ".join(f"{rate:.1%}" for rate in likely if rate is not None)
        yield (
            f"<tr><td>{escape(workflow)}<td class=number>{sum(passed) / len(passed):.1%}"
            f"<td>{around.low:.1%} to {around.high:.1%}<td>{shown}</tr>"
        )
    yield "</table></div>"


def _faults(faults: FoundFaults) -> Iterator[str]:
    if cells := faults.cells:
        borne = sum(cell.borne for cell in cells)
        yield f"<h2>Faults</h2><p class=dim>{len(cells)} at stages, {borne} borne</p>"
    for workflow, of, kinds, rows in rows_of(cells):
        heads = "".join(f"<th>{escape(kind)}" for kind in kinds)
        yield f"<h3>{escape(workflow)}: {of}s</h3><div class=table><table><tr><th>stage<th>{of}{heads}</tr>"
        for row in rows:
            shown = "".join(
                f"<td class={'passed' if cell.borne else 'failed'} title='{escape('; '.join(cell.problems))}'>"
                f"{escape(cell.outcome or 'not reached')}<br><span class=dim>{escape(cell.code)}</span>"
                for cell in row.cells
            )
            yield f"<tr><td>{escape(row.stage)}<td>{escape(row.name)}{shown}</tr>"
        yield "</table></div>"


def _paths(paths: Sequence[FoundOnPath]) -> Iterator[str]:
    if not paths:
        return
    yield "<h3>Failure paths</h3><div class=table><table>"
    yield "<tr><th>workflow<th>path<th class=number>cases<th>outcomes</tr>"
    for one in paths:
        why, how = escape("; ".join(one.problems)), "failed" if one.problems else "passed"
        yield (
            f"<tr><td>{escape(one.workflow)}<td>{escape(one.path)}<td class=number>{one.cases}"
            f"<td class={how} title='{why}'>{escape(', '.join(one.outcomes)) or why}</tr>"
        )
    yield "</table></div>"


def _cases(turns: Sequence[Turn]) -> Iterator[str]:
    yield "<h2>Cases</h2><div class=table><table><tr><th>case<th><th>outcome<th>asked<th>done outside"
    yield "<th class=number>model<th class=number>tools<th class=number>ms</tr>"
    for turn in turns:
        done = ", ".join(f"{len(each)} {kind}" for kind, each in turn.effects.items() if isinstance(each, list))
        yield (
            f"<tr><td>{escape(turn.name)}<br><span class=dim>{escape(turn.title)}</span>"
            f"<td class={turn.status}>{turn.status}<td>{escape(turn.outcome)}<td>{escape(', '.join(turn.gates))}"
            f"<td>{escape(done)}<td class=number>{turn.model_calls}<td class=number>{turn.tool_calls}"
            f"<td class=number>{turn.ms:.0f}</tr>"
        )
    yield "</table></div>"


def _said(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
