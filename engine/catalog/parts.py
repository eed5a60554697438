"""What a workflow has to declare beside what `checks` asks of it, and who answers for it: named demands."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import JsonValue
from typing_extensions import TypeAliasType, is_typeddict

from contracts.policy import Duties
from engine.catalog.boundaries import contracts_of
from engine.catalog.patterns import Patterns, Seen

OF_PARTS = Patterns()
"""Permissions, gates, scoped tools and bounds are judged where a workflow is loaded, too, under the same names."""
OF_OWNERS = Patterns()

ASKING = ("model", "agent", "read", "effect")
"""Kinds of stage that depend on somebody who may fail."""
_NATIVE: tuple[Any, ...] = (str, int, float, bool, dict, list, type(None), Any, object, JsonValue)
_DUTIES = tuple(name for name in Duties.__dataclass_fields__ if name != "review_due")


@OF_PARTS.add("scoped-tools", level="error", do="Let the stage name them: reads(…), carries_out(…).")
def _scoped_tools(seen: Seen) -> Iterator[str]:
    """A stage may call what it names and nothing else: one that names nothing calls nothing."""
    for stage in seen.workflow.stages.values():
        if stage.kind in ("read", "proposal", "gate", "effect") and not stage.tools:
            yield f"stage {stage.name!r} is of the kind {stage.kind} and names no tool"


@OF_PARTS.add("durable-state", level="error", do="Keep text, numbers, lists and typed dicts; build objects in a stage.")
def _durable_state(seen: Seen) -> Iterator[str]:
    """An object in a checkpoint comes back as something else when its class has moved, without an error."""
    for name, hint in get_type_hints(seen.workflow.graph.builder.state_schema).items():
        if foreign := next((part for part in _parts(hint) if not _native(part)), None):
            yield f"the channel {name!r} of its state holds {getattr(foreign, '__name__', foreign)!r}, which is no JSON"


@OF_PARTS.add("decisions", level="error", do="Say where a router leads: -> Literal[…], or a path_map.")
def _decisions(seen: Seen) -> Iterator[str]:
    """A router that may lead anywhere cannot be drawn, checked or explained."""
    for stage, branches in seen.workflow.graph.builder.branches.items():
        for name, branch in branches.items():
            if branch.ends is None:
                yield f"the router {name!r} after {stage!r} does not say where it leads"


@OF_PARTS.add("retries", level="error", do="Let the gateways try again, within the budget of its POLICY.")
def _retries(seen: Seen) -> Iterator[str]:
    """One layer tries again; two multiply each other's attempts."""
    for name, node in seen.workflow.graph.builder.nodes.items():
        if node.retry_policy:
            yield f"stage {name!r} has a retry policy beside the gateways'"


@OF_PARTS.add("audit", level="error", do="Name the argument that is changed (target=…), and why= of each rule.")
def _audit(seen: Seen) -> Iterator[str]:
    """A record that names neither what was changed nor why it was allowed answers no auditor."""
    for tool in seen.workflow.policy.callable_tools:
        if tool.writes and tool.target not in tool.request.model_fields:
            yield f"the write {tool.name!r} does not say which of its arguments it changes (target)"
    for rule in seen.workflow.policy.rules:
        if not rule.why.strip():
            yield f"rule {rule.id!r} does not say why"


@OF_PARTS.add("recovery", level="error", do="Wrap it in or_hand_off, and route it by unless_stuck(…).")
def _recovery(seen: Seen) -> Iterator[str]:
    """What fails without a way out ends the case, and nobody takes it over."""
    contracts = contracts_of(seen.workflow.graph)
    for stage in seen.workflow.stages.values():
        if (stage.kind in ASKING or stage.prompt) and not contracts[stage.name].recovery:
            yield f"stage {stage.name!r} may fail, and nothing says where its case goes then"


@OF_OWNERS.add("duty-without-owner", level="error", do="Name somebody for each in its POLICY: duties=Duties(…).")
def _duties(seen: Seen) -> Iterator[str]:
    """A duty of everybody is nobody's."""
    duties = seen.workflow.policy.duties
    for name in _DUTIES:
        if not duties or not str(getattr(duties, name)).strip():
            yield f"nobody has the duty {name.replace('_', ' ')!r}"


@OF_OWNERS.add("review-due", do="Look at prompts, rules, access and figures again, and set the next review_due.")
def _review_due(seen: Seen) -> Iterator[str]:
    """What nobody has looked at for long fits what was, and not what is."""
    duties = seen.workflow.policy.duties
    if duties and not _date(duties.review_due):
        yield f"its review_due {duties.review_due!r} is no date (YYYY-MM-DD)"
    elif duties and seen.today and date.fromisoformat(duties.review_due) < seen.today:
        yield f"it was to be looked at again until {duties.review_due}, by {seen.workflow.policy.owner}"


def _date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _native(part: Any) -> bool:
    return part in _NATIVE or isinstance(part, TypeAliasType) or is_typeddict(part)


def _parts(hint: Any) -> Iterator[Any]:
    """The types that a type is made of, with those inside typed dicts; of a literal the types of its values."""
    if get_origin(hint) is Literal:
        yield from (type(value) for value in get_args(hint))
    elif is_typeddict(hint):
        for inner in get_type_hints(hint).values():
            yield from _parts(inner)
    elif get_origin(hint) in (dict, list) or get_args(hint):
        for inner in get_args(hint):
            yield from _parts(inner)
    else:
        yield hint
