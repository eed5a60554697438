"""The source of a file of tools: models, and one function each, with its risk left to a person."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.importing.models import ModelWriter, field_line
from engine.importing.operation import Operation, Parameter, class_name

_RISK = "RISK_UNKNOWN"


def source_of(operations: Sequence[Operation], document: Mapping[str, Any], *, system: str, about: str) -> str:
    """A module of tools: it passes the checks of this project, and refuses to load until its risk is filled in.

    The same operations give the same text. Raises `NotNarrow`.
    """
    models = ModelWriter(document)
    tools = [_tool(models, operation, system) for operation in operations]
    code = "\n\n\n".join([*models.sources, *tools])
    return "\n".join([f'"""{about}"""', "", *_imports(code), "", "", code, ""])


def _imports(code: str) -> list[str]:
    typing = [name for name in ("Annotated", "Literal") if f"{name}[" in code]
    lines = [f"from typing import {', '.join(typing)}"] if typing else []
    blocks = [lines, ["from pydantic import Field"] if "Field(" in code else []]
    names = ["RISK_UNKNOWN", "Call", "ToolModel", *(["segment"] if "{segment(" in code else []), "tool"]
    blocks.append([f"from contracts.tool import {', '.join(names)}"])
    return "\n\n".join("\n".join(block) for block in blocks if block).split("\n")


def _tool(models: ModelWriter, operation: Operation, system: str) -> str:
    request = _request(models, operation)
    reply, wraps = _reply(models, operation)
    facts = [f"effect={_RISK},"]
    if not operation.reads:
        facts += [f"{name}={_RISK}," for name in ("reversibility", "blast_radius", "target", "undo")]
    facts += [f'scopes=("{system}:{operation.name}",),']
    return "\n".join(
        [
            "@tool(",
            *(f"    # {line}" for line in (*_hints(operation), *operation.facts)),
            *(f"    {fact}" for fact in facts),
            ")",
            f"async def {operation.name}(request: {request}, call: Call) -> {reply}:",
            f'    """{operation.summary}"""',
            *(f"    {line}" for line in _body(operation, reply, wraps)),
        ]
    )


def _hints(operation: Operation) -> Iterable[str]:
    yield f"Imported from {operation.original!r}. Say what it does before it can be loaded: docs/howto/import-tools.md"
    if operation.reads:
        yield 'A GET: effect="read" if it changes nothing. Name reply fields in `trusted` and `private`.'
    else:
        yield "Name what is dangerous in `sinks`, the sum at stake in `amount` and `currency`."


def _request(models: ModelWriter, operation: Operation) -> str:
    name, fields = class_name(operation.name, "request"), []
    for parameter in sorted(operation.parameters, key=lambda one: not one.required):
        where = f"{operation.original} {parameter.place} {parameter.wire}"
        annotation = models.type_of(parameter.schema, class_name(operation.name, parameter.name), where, asked=True)
        fields.append(field_line(parameter.name, annotation, required=parameter.required, asked=True))
    return models.add(name, fields, "It takes nothing.")


def _reply(models: ModelWriter, operation: Operation) -> tuple[str, str]:
    """The class that is answered, and the member of it that takes an answer which is no object."""
    name = class_name(operation.name, "reply")
    if operation.reply is None:
        return models.add(name, [], "It was taken; nothing is answered."), "-"
    annotation = models.type_of(operation.reply, name, f"{operation.original} reply", asked=False)
    if re.fullmatch(r"[A-Za-z_]\w*", annotation) and annotation not in ("str", "int", "float", "bool"):
        return annotation, ""
    member = "items" if annotation.startswith(("tuple[", "Annotated[tuple[")) else "value"
    return models.add(name, [f"{member}: {annotation}"]), member


def _body(operation: Operation, reply: str, wraps: str) -> list[str]:
    if operation.method:
        lines, sent = _sending(operation)
    else:
        lines = ['said = request.model_dump(mode="json", exclude_none=True)']
        sent = f'await call.send("CALL", "{operation.original}", body=said)'
    if wraps == "-":
        return [*lines, sent, f"return {reply}()"]
    value = f'{{"{wraps}": reply}}' if wraps else "reply"
    return [*lines, f"reply = {sent}", f'return {reply}.model_validate({value}, extra="ignore")']


def _sending(operation: Operation) -> tuple[list[str], str]:
    by_place: dict[str, list[Parameter]] = {}
    for parameter in operation.parameters:
        by_place.setdefault(parameter.place, []).append(parameter)
    lines, given = [], []
    if body := by_place.get("body"):
        lines.append('said = request.model_dump(mode="json", exclude_none=True)')
        value = f'said["{body[0].name}"]' if operation.whole_body else _members("said", body)
        lines.append(f"body = {value}")
        given.append("body=body")
    for place, argument in (("query", "query"), ("header", "headers")):
        if parameters := by_place.get(place):
            lines.append(f"{argument}: dict[str, str] = {{}}")
            lines += [line for parameter in parameters for line in _text_of(argument, parameter)]
            given.append(f"{argument}={argument}")
    path = operation.path
    for parameter in by_place.get("path", []):
        path = path.replace(f"{{{parameter.wire}}}", f"{{segment(request.{parameter.name})}}")
    prefix = "f" if by_place.get("path") else ""
    said = ", ".join([f'"{operation.method}"', f'{prefix}"{path}"', *given])
    return lines, f"await call.send({said})"


def _members(said: str, parameters: list[Parameter]) -> str:
    names = ", ".join(f'"{one.name}": "{one.wire}"' for one in parameters)
    return f"{{wire: {said}[name] for name, wire in {{{names}}}.items() if name in {said}}}"


def _text_of(argument: str, parameter: Parameter) -> list[str]:
    value = f"request.{parameter.name}"
    kind = parameter.schema.get("type")
    text = f'",".join(map(str, {value}))' if kind == "array" else f"str({value})"
    text = f"str({value}).lower()" if kind == "boolean" else text
    line = f'{argument}["{parameter.wire}"] = {text}'
    return [line] if parameter.required else [f"if {value} is not None:", f"    {line}"]
