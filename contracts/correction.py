"""How a tool call that a model asks for is read, and what it is told when it failed, so that it can correct itself."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NotRequired, cast

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict

from contracts.errors import Category, GatehouseError, InvalidArguments, UnknownTool
from contracts.tool import AnyTool, ToolModel

_LOOK_ALIKE = str.maketrans("01358", "oless")
_NEAR = 0.6


class ArgumentProblem(TypedDict):
    """One argument that a tool does not take as it is."""

    field: str
    says: str
    allowed: JsonValue
    """What the field may be: its part of the tool's schema; None for a field that the tool does not have."""
    example: NotRequired[JsonValue]


class ToolFailure(TypedDict):
    """What every failed call is answered with."""

    code: str
    """Stable; see the page of errors."""
    category: Category
    message: str
    hint: str
    retryable: bool
    """Whether the very same call may succeed later."""
    problems: NotRequired[list[ArgumentProblem]]


def failure_of(error: GatehouseError) -> ToolFailure:
    """What a model, a caller and the ledger are told of a failed call."""
    told = ToolFailure(
        code=error.code,
        category=error.category,
        message=error.detail,
        hint=error.hint or _HINTS.get(error.code, _HINTS[error.category]),
        retryable=error.retryable,
    )
    if isinstance(error, InvalidArguments):
        told["problems"] = cast("list[ArgumentProblem]", error.facts["problems"])
    return told


_HINTS = {
    "policy_denied": "Do not try the same again: no argument that means the same is allowed. Tell the person why.",
    "approval_required": "Propose it, and let a person decide.",
    "budget_exceeded": "Make no further call. Sum up what is known and hand the case over.",
    "tool_outcome_unknown": "Do not repeat it: it may have happened. A person finds out.",
    "tool_refused": "Read why it was refused; the same call will be refused again.",
    "tool": "Try it once more if it may be repeated; otherwise say what could not be done.",
    "model": "Answer anew in the form that was asked for.",
    "logic": "Change the call as the message says.",
    "access": "This is not permitted here. Do not try to reach it in another way.",
    "engine": "Nothing is wrong with the call. Try it later.",
}
"""What to do where the error itself does not say: by code, else by category."""


def find_tool(name: str, offered: Iterable[AnyTool]) -> AnyTool:
    """The tool of exactly this name. Raises `UnknownTool` naming what was probably meant, and look-alikes as such."""
    tools = {tool.name: tool for tool in offered}
    if name in tools:
        return tools[name]
    alike = [known for known in tools if _skeleton(known) == _skeleton(name)]
    near = alike or difflib.get_close_matches(name, tools, n=3, cutoff=_NEAR)
    if alike:
        said = f"{name!r} only looks like {alike[0]!r}; it is not that tool, and nothing was called."
    else:
        said = f"There is no tool {name!r} here; nothing was called."
    meant = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise UnknownTool(
        said,
        hint=f"{meant}Offered are: {', '.join(sorted(tools)) or 'no tools'}.",
        facts={"look_alike": bool(alike), "near": near},
    )


def read_arguments(tool: AnyTool, args: Mapping[str, JsonValue]) -> ToolModel:
    """The tool's request. Raises `InvalidArguments`: each field that does not fit, what it may be, and an example."""
    try:
        request: ToolModel = tool.request.model_validate(dict(args))
    except ValidationError as error:
        raise invalid_arguments(tool, error) from None
    return request


def invalid_arguments(tool: AnyTool, error: ValidationError) -> InvalidArguments:
    """What is wrong with the arguments, without their values: those may hold what nobody should repeat."""
    problems = problems_of(tool.request, error)
    listed = "; ".join(f"{problem['field']}: {problem['says']}" for problem in problems)
    return InvalidArguments(
        f"The arguments do not fit {tool.name!r}: {listed}",
        hint="Correct the fields that are named and leave the others as they are.",
        facts={"problems": problems, "schema": tool.request.model_json_schema()},
    )


def problems_of(model: type[BaseModel], error: ValidationError) -> list[ArgumentProblem]:
    """Each problem with what is allowed in its place."""
    schema = model.model_json_schema()
    return [_problem(schema, detail) for detail in error.errors(include_url=False, include_input=False)]


def _problem(schema: Mapping[str, Any], detail: ErrorDetails) -> ArgumentProblem:
    field, says = ".".join(map(str, detail["loc"])) or "the arguments", str(detail["msg"])
    if detail["type"] == "extra_forbidden":
        known = sorted(schema.get("properties", {}))
        near = difflib.get_close_matches(str(detail["loc"][-1]), known, n=1, cutoff=_NEAR)
        meant = f"; did you mean {near[0]!r}?" if near and len(detail["loc"]) == 1 else ""
        return ArgumentProblem(field=field, says=f"the tool has no such argument{meant}", allowed=None)
    allowed = _part_at(schema, detail["loc"])
    problem = ArgumentProblem(field=field, says=says, allowed=cast(JsonValue, allowed))
    if (example := _example(schema, allowed)) is not None:
        problem["example"] = example
    return problem


def _part_at(schema: Mapping[str, Any], path: Sequence[int | str]) -> dict[str, Any]:
    part: Mapping[str, Any] = schema
    for step in path:
        found = _resolved(schema, part)
        inner = found.get("items") if isinstance(step, int) else found.get("properties", {}).get(step)
        if inner is None:  # a member of a union, which has no name in the schema
            continue
        part = inner
    return dict(_resolved(schema, part))


def _resolved(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(part.get("$ref", "")).rpartition("/")[2]
    found: Mapping[str, Any] = schema.get("$defs", {}).get(name, part)
    return found


def _example(schema: Mapping[str, Any], part: Mapping[str, Any]) -> JsonValue:
    """A value that the part allows, where one can be told without guessing at a pattern."""
    part = _resolved(schema, part)
    if listed := (part.get("examples") or part.get("enum")):
        return cast(JsonValue, listed[0])
    if "const" in part:
        return cast(JsonValue, part["const"])
    if part.get("type") == "integer":
        return int(part.get("minimum", part.get("exclusiveMinimum", 0) + 1))
    if part.get("type") == "boolean":
        return True
    return _from_pattern(str(part.get("pattern", "")))


_TOKEN = re.compile(
    r"(?:\[(?P<first>[^\]^\\])[^\]]*\]|(?P<digit>\\d)|(?P<sign>[\w:@/ -]))(?:\{(?P<least>\d+)(?:,\d*)?\}|[+*?])?"
)


def _from_pattern(pattern: str) -> JsonValue:
    """An example of a plain pattern such as `^AC-[0-9]{4,8}$`; None for one with choices or groups."""
    inner, made, place = pattern.strip("^$"), "", 0
    while place < len(inner):
        token = _TOKEN.match(inner, place)
        if token is None:
            return None
        sign = token["first"] or token["sign"] or "0"
        made, place = made + sign * int(token["least"] or 1), token.end()
    return made if made and re.fullmatch(inner, made) else None


def _skeleton(name: str) -> str:
    """The name as an eye sees it at a glance: without case, marks, separators and look-alike signs."""
    plain = unicodedata.normalize("NFKD", name.translate(_CYRILLIC_AND_GREEK)).casefold()
    letters = "".join(sign for sign in plain if sign.isalnum() and not unicodedata.combining(sign))
    return letters.translate(_LOOK_ALIKE).replace("rn", "m").replace("vv", "w").replace("i", "l")


# The letters of two other alphabets that are drawn like Latin ones (Unicode TR 39 lists them among many more).
_CYRILLIC_AND_GREEK = str.maketrans("аеорсухіјѕԁһԛԝαορνικ", "aeopcyxijsdhqwaopvik")
