"""What would have come of a case if one stage's model had replied otherwise, or been asked in other words."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError, RecordingMissing
from engine.catalog.catalog import Catalog
from engine.catalog.prompt import Prompt
from engine.catalog.workflow import Workflow
from engine.models.recording import Recording, parts_of
from engine.wiring import Engine
from evals.baseline import behaviour
from evals.case_files import CaseFolder
from evals.comparing import first_divergence
from evals.observation import Observation
from evals.playing import play
from evals.replies import Miss, RecordedReplies
from evals.results import Turn
from evals.voices import Live, Voice

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Change:
    """What is otherwise: the reply that the stage gets the `nth` time that its prompt is asked, or the prompt."""

    stage: str
    nth: int = 1
    reply: str | None = None
    system: str | None = None


@dataclass(frozen=True)
class Counterfactual:
    """A case as it was, and as it would have been."""

    case: str
    change: Change
    before: Observation
    after: Observation
    parts: str
    """Where the two ways part; empty where nothing came of the change."""
    unrecorded: tuple[Miss, ...]
    """The first call for which nothing is recorded, and those behind it: what came of them is not known."""
    path: tuple[str, ...]
    """Of `after`, as far as it is known."""

    @property
    def outcome(self) -> str:
        return UNKNOWN if self.unrecorded else self.after.outcome

    def as_json(self) -> JsonObject:
        after = behaviour(self.after) | {"path": [*self.path], "outcome": self.outcome}
        return {
            "case": self.case,
            "stage": self.change.stage,
            "nth": self.change.nth,
            "changed": "reply" if self.change.system is None else "prompt",
            "parts": self.parts,
            "before": behaviour(self.before),
            "after": after,
            "unrecorded": [{"call": miss.prompt, "detail": miss.detail} for miss in self.unrecorded],
            "people": [*self.after.off_script],
            "breaches": [*self.after.breaches],
            "spent": self.after.spent.as_json(),
        }


@dataclass
class ReplacedReplies(RecordedReplies):
    """Recordings that note who asks for what, of which one gives way to another reply."""

    recordings: Iterable[Recording]
    at: tuple[str, int] | None = None
    """Prompt, and the number of its call over all threads."""
    reply: str = ""
    taken: list[tuple[str, str]] = field(default_factory=list)
    """Thread and prompt of each call."""

    def __post_init__(self) -> None:
        super().__init__(self.recordings)

    def take(self, case: str, stage: str, key: str, messages: list[str]) -> Recording:
        self.taken.append((case, stage))
        number = Counter(prompt for _, prompt in self.taken)[stage]
        if (stage, number) != self.at:
            return super().take(case, stage, key, messages)
        try:
            own = super().take(case, stage, key, messages)
        except RecordingMissing:
            self.missed.pop()
            own = Recording(stage, key, "written", "written", "", messages, parts=parts_of(key))
        return replace(own, content=self.reply, source="written", model="written", fault="", tool_calls=[])


async def imagine(engine: Engine, folder: CaseFolder, change: Change, live: Live) -> Counterfactual:
    """Play the case as it is and with the change; models of `live` are asked where nothing is recorded.

    Raises `ConfigurationError` for a stage that asks no model or is asked less often, and for a case that is stale.
    """
    workflow = engine.catalog[folder.workflow]
    prompt = _prompt(workflow, change)
    replies = ReplacedReplies(folder.recordings)
    before = await play(engine, folder, replies)
    if replies.missed or before.missed:
        raise ConfigurationError(
            f"The case {folder.name!r} is stale, so there is nothing to compare with.",
            hint="See what has changed: gatehouse eval run",
        )
    own = [number for number, (thread, asked) in enumerate(_of(replies.taken, prompt)) if thread == before.thread_id]
    if change.nth > len(own):
        raise ConfigurationError(
            f"The case {folder.name!r} asks for {prompt!r} {len(own)} times, and not {change.nth}.", hint="See --nth."
        )
    at = (prompt, own[change.nth - 1] + 1) if change.reply is not None else None
    other = ReplacedReplies(folder.recordings, at, change.reply or "")
    after = await play(_with_prompt(engine, workflow, prompt, change), folder, other, Voice(beyond=live))
    missed = [miss for miss in other.missed if not live.asks(workflow, miss.prompt)]
    return _compared(folder, workflow, change, (before, after), (*missed, *after.missed))


def _of(taken: Iterable[tuple[str, str]], prompt: str) -> list[tuple[str, str]]:
    return [one for one in taken if one[1] == prompt]


def _prompt(workflow: Workflow, change: Change) -> str:
    stage = workflow.stages.get(change.stage)
    if stage is None or not stage.prompt:
        asking = ", ".join(name for name, stage in workflow.stages.items() if stage.prompt)
        what = "asks no model" if stage else "is no stage of it"
        raise ConfigurationError(f"{change.stage!r} {what}.", hint=f"Stages of {workflow.name!r} that do: {asking}.")
    return stage.prompt


def _with_prompt(engine: Engine, workflow: Workflow, name: str, change: Change) -> Engine:
    """The same engine, whose runs ask in other words; versions that are pinned stay what they are."""
    if change.system is None:
        return engine
    prompts: Mapping[str, Prompt] = workflow.prompts
    changed = replace(workflow, prompts={**prompts, name: replace(prompts[name], system=change.system)})
    catalog = Catalog([changed if one.name == workflow.name else one for one in engine.catalog.values()])
    return replace(engine, carrier=replace(engine.carrier, catalog=catalog))


def _compared(
    folder: CaseFolder,
    workflow: Workflow,
    change: Change,
    ways: tuple[Observation, Observation],
    missed: tuple[Miss, ...],
) -> Counterfactual:
    before, after = ways
    path = _known(workflow, after, missed)
    one, other = (_turn(folder, behaviour(way)) for way in ways)
    parts = first_divergence(one, other)
    if missed and path == before.path[: len(path)]:
        stage = _stage_of(workflow, after, missed[0])
        parts = f"stage {len(path) + 1}: what {stage} would have got is not recorded"
    return Counterfactual(f"{folder.workflow}/{folder.name}", change, before, after, parts, missed, path)


def _known(workflow: Workflow, seen: Observation, missed: tuple[Miss, ...]) -> tuple[str, ...]:
    """The stages before the first for which nothing is recorded: what follows only says how a case does without."""
    if not missed:
        return seen.path
    stage = _stage_of(workflow, seen, missed[0])
    last = max((at for at, name in enumerate(seen.path) if name == stage), default=len(seen.path))
    return seen.path[:last]


def _stage_of(workflow: Workflow, seen: Observation, miss: Miss) -> str:
    for stage in workflow.stages.values():
        if stage.prompt == miss.prompt:
            return stage.name
    return str(seen.problem.get("stage", "")) or miss.prompt


def _turn(folder: CaseFolder, seen: JsonObject) -> Turn:
    return Turn.model_validate({**seen, "workflow": folder.workflow, "case": folder.name, "status": "passed"})
