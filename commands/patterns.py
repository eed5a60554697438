"""What lies around a workflow, for its anti-patterns: its code, its recorded cases, the models that may answer."""

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from engine.catalog.patterns import CaseSaid, RouteSaid, Seen
from engine.catalog.workflow import Workflow
from engine.configured import routes_of
from engine.models.routing import Alias
from engine.settings import Settings
from evals.case_files import CaseFolder, read_cases

_CHECKED = ("effects", "gates", "forbidden", "problem", "state", "nowhere")


def seen_of(workflow: Workflow, evals: Path, settings: Settings) -> Seen:
    """`evals` holds the cases. Raises `ConfigurationError` for a case that cannot be read and a route that is none."""
    return Seen(
        workflow=workflow,
        cases=tuple(_case(folder) for folder in read_cases(evals / "cases", workflow.name)),
        routes=tuple(_routes(workflow, routes_of(settings))),
        bordered=bool(settings.regions),
        today=datetime.now(UTC).date(),
        code=dict(_code(workflow)),
    )


def _case(folder: CaseFolder) -> CaseSaid:
    expected = folder.case.expect
    checks = frozenset(name for name in _CHECKED if getattr(expected, name))
    return CaseSaid(folder.name, folder.case.kind, str(expected.outcome), checks)


def _routes(workflow: Workflow, routes: Mapping[str, Alias]) -> Iterator[RouteSaid]:
    for alias in sorted({prompt.alias for prompt in workflow.prompts.values()}):
        if routed := routes.get(alias) or routes.get("*"):
            tried = [routed.experiment.route] if routed.experiment else []
            yield from (RouteSaid(route.model, route.region) for route in (*routed.routes, *tried))


def _code(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """Its own modules and those of its tools."""
    for path in sorted(workflow.folder.rglob("*.py")):
        yield f"{workflow.folder.name}/{path.relative_to(workflow.folder)}", path.read_text(encoding="utf-8")
    for name in sorted({tool.run.__module__ for tool in workflow.policy.callable_tools}):
        file = Path(str(sys.modules[name].__file__))
        yield f"{file.parent.name}/{file.name}", file.read_text(encoding="utf-8")
