"""Whether cases speak of a workflow as it is: a stage or a prompt by another name would pass unseen, or fail late."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence

from contracts.errors import InvalidEvalFile
from engine.catalog.workflow import Workflow
from evals.case_files import CALLS, CASE, CaseFolder

_SHOWN = 5


def require_fitting(workflow: Workflow, folders: Iterable[CaseFolder]) -> None:
    """Raises `InvalidEvalFile` naming file and field of every stage and prompt that the workflow does not have."""
    if problems := [problem for folder in folders for problem in _problems(workflow, folder)]:
        more = f"\nand {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise InvalidEvalFile(
            "\n".join(problems[:_SHOWN]) + more,
            hint=f"gatehouse workflows show {workflow.name} lists its stages and prompts.",
        )


def _problems(workflow: Workflow, folder: CaseFolder) -> Iterator[str]:
    where, expected = f"{workflow.name}/{folder.name}", folder.case.expect
    named = {f"expect.stages.path.{at}": stage for at, stage in enumerate(expected.stages.path)}
    if expected.problem and expected.problem.stage:
        named["expect.problem.stage"] = expected.problem.stage
    yield from _unknown(f"{where}/{CASE}", "stage", named.items(), workflow.stages)
    asked = [(f"{at}: stage", recording.stage) for at, recording in enumerate(folder.recordings, start=1)]
    yield from _unknown(f"{where}/{CALLS}", "prompt", asked, workflow.prompts)


def _unknown(file: str, what: str, named: Iterable[tuple[str, str]], known: Collection[str]) -> Iterator[str]:
    for field, name in named:
        if name not in known:
            yield f"{file}: {field}: {name!r} is no {what} of this workflow{_perhaps(name, [*known])}"


def _perhaps(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; perhaps {near[0]!r}?" if near else "."
