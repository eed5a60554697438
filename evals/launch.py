"""The launch list of a workflow: what has to be there before it goes live, each with its evidence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from contracts.approval import JsonObject
from contracts.errors import NotToBePromoted
from engine.catalog.lock import lock_one
from engine.catalog.parts import OF_OWNERS, OF_PARTS
from engine.catalog.patterns import Sighting
from engine.catalog.patterns_of_evals import EVERY
from engine.catalog.workflow import Workflow
from evals.baseline import read_baseline
from evals.case import Kind
from evals.case_files import CaseFolder, read_cases
from evals.failure_paths import PATHS
from evals.fault_results import file_of, read_accepted_faults
from evals.fitting import require_fitting
from evals.sources import changed, file_beside, read_sources, sources_of

_UGLY = tuple(kind for kind in get_args(Kind) if kind.startswith("ugly_"))


@dataclass(frozen=True)
class Item:
    """One demand, and what shows that it is met or what is missing."""

    name: str
    met: bool
    evidence: str

    def as_json(self) -> JsonObject:
        return {"item": self.name, "met": self.met, "evidence": self.evidence}


def launch_list(workflow: Workflow, evals: Path, sighted: Sequence[Sighting]) -> list[Item]:
    """Every item in order. `evals` holds cases and baselines, `sighted` is what the workflow falls short of.

    Raises `ConfigurationError` for a case or a baseline that cannot be read.
    """
    folders = read_cases(evals / "cases", workflow.name)
    require_fitting(workflow, folders)
    return [
        *_people(workflow, sighted),
        _gates(workflow),
        _cases(folders),
        _faults(workflow, folders, evals),
        _baseline(workflow, folders, evals / "baselines" / f"{workflow.name}.json"),
        _parts(sighted),
        _patterns(sighted),
    ]


def promote(lock: Path, workflow: Workflow, evals: Path, sighted: Sequence[Sighting]) -> None:
    """Lock the workflow as it is. Raises `NotToBePromoted` naming what is missing, and leaves the lock alone then."""
    if missing := [item for item in launch_list(workflow, evals, sighted) if not item.met]:
        raise NotToBePromoted(
            f"{workflow.name!r} is not promoted: it lacks {', '.join(item.name for item in missing)}.",
            hint=f"gatehouse launch-check {workflow.name} shows what to do.",
            facts={"missing": [item.name for item in missing]},
        )
    lock_one(lock, workflow)


def _people(workflow: Workflow, sighted: Sequence[Sighting]) -> Iterator[Item]:
    policy, queue, duties = workflow.policy, workflow.policy.queue, workflow.policy.duties
    if lacks := [one.says for one in sighted if one.pattern in {pattern.id for pattern in OF_OWNERS}]:
        yield Item("owner", False, f"{'; '.join(lacks)}: owner=… and duties=… in its POLICY")
    else:
        due = f"; to be reviewed until {duties.review_due}" if duties else ""
        yield _said("owner", policy.owner and f"{policy.owner}{due}", "nobody answers for it: owner=… in its POLICY")
    yield _said("success criteria", policy.success, "nobody has said what it is measured by: success=… in its POLICY")
    target = f"{queue.target_s // 60} minutes of review in the queue {queue.name!r}" if queue.target_s > 0 else ""
    yield _said("SLA", target, "its queue has no target: target_s=…")
    steps = ", ".join(f"{level.to} after {level.after_s // 60} minutes" for level in queue.escalation)
    yield _said("escalation", steps, "a request that waits moves up to nobody: escalation=… of its queue")


def _gates(workflow: Workflow) -> Item:
    """What a transactional tool does is in our own records, and undone with them."""
    policy = workflow.policy
    asked = {rule.tool for rule in policy.rules if rule.verdict == "require_approval"}
    bounded = {rule.tool for rule in policy.rules if rule.verdict == "deny" or rule.when}
    settled = asked | bounded | {waiver.tool for waiver in policy.waivers}
    outside = [tool.name for tool in policy.tools if tool.writes and tool.effect != "transactional"]
    if bare := [name for name in outside if name not in settled]:
        return Item("gates", False, f"nobody is asked about {', '.join(bare)}, and no rule bounds it")
    said = f"{len(outside)} writes outside: people are asked about {len(asked & set(outside))} of them"
    return Item("gates", True, f"{said}, the others are bounded or waived")


def _cases(folders: Sequence[CaseFolder]) -> Item:
    if missing := sorted(set(_UGLY) - {folder.case.kind for folder in folders}):
        return Item("cases", False, f"{len(folders)} cases, none of them {', '.join(missing)}")
    return Item("cases", True, f"{len(folders)} cases, among them all {len(_UGLY)} kinds of difficult input")


def _faults(workflow: Workflow, folders: Sequence[CaseFolder], evals: Path) -> Item:
    again = f"gatehouse eval faults {workflow.name} --accept"
    accepted = read_accepted_faults(file_of(evals, workflow.name))
    if accepted is None:
        return Item("fault tests", False, f"nobody has seen what becomes of faults at its stages: {again}")
    if lacks := accepted.lacks(workflow, folders):
        return Item("fault tests", False, f"{lacks}: {again}")
    stages = len({(cell.stage, cell.name) for cell in accepted.cells})
    missing = [path for path, kinds in PATHS.items() if not any(folder.case.kind in kinds for folder in folders)]
    if missing:
        return Item("fault tests", False, f"no case shows what becomes of {', '.join(missing)}")
    said = f"{len(accepted.cells)} faults of {stages} models and tools at stages are borne by {workflow.version}"
    return Item("fault tests", True, f"{said}; cases for {len(PATHS)} failure paths")


def _baseline(workflow: Workflow, folders: Sequence[CaseFolder], file: Path) -> Item:
    accepted = read_baseline(file)
    if not accepted:
        return Item("baseline passed", False, "no baseline was accepted: gatehouse eval run --accept")
    stale = changed(read_sources(file_beside(file)), sources_of(workflow, folders), folders)
    unknown = {folder.name for folder in stale} | {folder.name for folder in folders} - accepted.keys()
    if unknown:
        said = f"{len(unknown)} of {len(folders)} cases have changed since it was accepted: gatehouse eval run --accept"
        return Item("baseline passed", False, said)
    return Item("baseline passed", True, f"{len(accepted)} cases, accepted with this version ({workflow.version})")


def _parts(sighted: Sequence[Sighting]) -> Item:
    missing = dict.fromkeys(one.pattern for one in sighted if one.pattern in {part.id for part in OF_PARTS})
    return Item("declared parts", not missing, ", ".join(missing) or "all eight, and a contract for every stage")


def _patterns(sighted: Sequence[Sighting]) -> Item:
    known = {pattern.id for pattern in EVERY}
    errors = [one.pattern for one in sighted if one.level == "error" and one.pattern in known]
    warnings = [one.pattern for one in sighted if one.level == "warning" and one.pattern in known]
    said = ", ".join(errors) or f"none that must not be; warnings: {', '.join(warnings) or 'none'}"
    return Item("anti-patterns", not errors, said)


def _said(name: str, value: str, missing: str) -> Item:
    return Item(name, bool(value.strip()), value.strip() or missing)
