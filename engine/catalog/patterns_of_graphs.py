"""Anti-patterns that a graph, its state, its prompts and its models show."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

from langchain_core.messages import BaseMessage

from contracts.approval import Decision, Proposal
from engine.catalog.patterns import Patterns, Seen, thinking

OF_GRAPHS = Patterns()

LONGEST_PROMPT = 12_000
"""Letters."""
MOST_THINKERS = 6
_PINNED = re.compile(r"\d{4}-?\d{2}-?\d{2}|-\d{4}$|@|:|\.gguf$|/")
_OF_A_GATE: tuple[Any, ...] = (Proposal, Decision)
_UNTYPED = (Any, object, dict, list, tuple, set)


@OF_GRAPHS.add("free-text-protocol", do="Hand on typed values: a channel for each thing that the next stage needs.")
def _free_text(seen: Seen) -> Iterator[str]:
    """What models tell each other in words nobody can check, and each may be told what to do by the other."""
    if len(thinking(seen.workflow)) < 2:
        return
    for name, hint in _channels(seen).items():
        if any(isinstance(part, type) and issubclass(part, BaseMessage) for part in _parts(hint)):
            yield f"its model stages speak through the messages in {name!r}"


@OF_GRAPHS.add("model-managed-state", level="error", do="Let the gate's own stages write it; a model returns findings.")
def _managed_by_model(seen: Seen) -> Iterator[str]:
    """Whoever a model says has agreed has not agreed by that."""
    guarded = {name for name, hint in _channels(seen).items() if any(part in _OF_A_GATE for part in _parts(hint))}
    for stage in thinking(seen.workflow):
        for name in sorted(guarded & _writes_of(seen, stage)):
            yield f"stage {stage!r} asks a model and writes {name!r}, which is a decision or what one is about"


@OF_GRAPHS.add("unpinned-model", do="Name a dated version, and a second route for when it does not answer.")
def _unpinned(seen: Seen) -> Iterator[str]:
    """The model behind a name changes, and with it every answer."""
    for route in seen.routes:
        if not _PINNED.search(route.model) or "latest" in route.model:
            yield f"the model {route.model!r} is whatever its provider calls so today"


@OF_GRAPHS.add(
    "leaves-its-region",
    level="error",
    do="Route its alias within one region, or set GATEHOUSE_REGIONS.",
)
def _leaves_region(seen: Seen) -> Iterator[str]:
    """Data that crosses a border cannot be called back."""
    if seen.bordered:
        return
    regions = {route.region for route in seen.routes if route.region}
    nowhere = [route.model for route in seen.routes if not route.region]
    if len(regions) > 1:
        yield f"its prompts may go to models in {', '.join(sorted(regions))}"
    if regions and nowhere:
        yield f"its prompts stay in {sorted(regions)[0]}, and {nowhere[0]!r} names no region"


@OF_GRAPHS.add("giant-prompt", do="Divide it into stages, each with a job of its own.")
def _giant_prompt(seen: Seen) -> Iterator[str]:
    """A stage that does everything cannot be tested, gated or mended in parts."""
    for prompt in seen.workflow.prompts.values():
        if len(prompt.system) > LONGEST_PROMPT:
            yield f"the prompt {prompt.name!r} has {len(prompt.system)} letters; {LONGEST_PROMPT} are many"
    if seen.workflow.writes and len(seen.workflow.stages) == 1:
        yield f"its only stage {next(iter(seen.workflow.stages))!r} does all of it"


@OF_GRAPHS.add("no-validation-between-stages", do="Give the channel a type that says what may stand in it.")
def _untyped_state(seen: Seen) -> Iterator[str]:
    """What has no type is passed on as it comes, and fails where nobody looks for it."""
    for name, hint in _channels(seen).items():
        if any(part in _UNTYPED for part in _parts(hint)):
            yield f"the channel {name!r} of its state may hold anything"


@OF_GRAPHS.add("more-agents-than-needed", do="Ask once, or give each a job of its own.")
def _needless_agents(seen: Seen) -> Iterator[str]:
    """Each model costs, waits and errs; the same question twice is not answered better."""
    stages = [seen.workflow.stages[name] for name in thinking(seen.workflow)]
    same = Counter((stage.prompt, tuple(sorted(stage.tools))) for stage in stages)
    for (prompt, _), times in same.items():
        if times > 1:
            yield f"{times} stages ask the prompt {prompt!r} with the same tools"
    if len(stages) > MOST_THINKERS:
        yield f"{len(stages)} of its stages ask models; {MOST_THINKERS} are many"


def _channels(seen: Seen) -> dict[str, Any]:
    return get_type_hints(seen.workflow.graph.builder.state_schema, include_extras=False)


def _writes_of(seen: Seen, stage: str) -> set[str]:
    """The channels that the stage's function says it returns."""
    node = seen.workflow.graph.builder.nodes[stage].runnable
    function = getattr(node, "afunc", None) or getattr(node, "func", None)
    try:
        returned = get_type_hints(function).get("return") if function else None
        names = [set(get_type_hints(part)) for part in (returned, *get_args(returned)) if isinstance(part, type)]
    except (NameError, TypeError):  # an annotation that only its own module can read
        return set()
    return set().union(*names)


def _parts(hint: Any) -> Iterator[Any]:
    """A type and the types inside it; of a list or a map with types inside, only those."""
    inner = [part for part in get_args(hint) if part is not Ellipsis]
    if not inner:
        yield hint
    elif get_origin(hint) is not None:
        for part in inner:
            yield from _parts(part)
