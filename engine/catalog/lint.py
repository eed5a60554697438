"""Whether a tool is narrow enough to be given to a model, and whether its contract says what everybody has to know."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import BaseModel, JsonValue

from contracts.tool import AnyTool
from engine.catalog.schemas import Part, is_free_text, parts_of
from engine.catalog.workflow import Stage

Level = Literal["error", "warning"]

LONGEST_S = 60.0
MOST_TOOLS = 8
_GENERIC = {
    *("sql", "shell", "bash", "exec", "execute", "eval", "script", "command", "http", "fetch", "request", "query"),
    *("browse", "crawl", "python", "code", "graphql", "rpc", "invoke", "anything", "raw", "any"),
}
"""Words of a name that does whatever it is told, where it consists of nothing else but `_DOES`."""
_DOES = {"run", "do", "make", "send", "call", "execute", "perform", "http", "api", "request", "get", "post", "query"}
_FREE_FORM = {
    *("sql", "query", "statement", "where", "filter", "expression", "url", "uri", "endpoint", "path", "method"),
    *("headers", "command", "cmd", "shell", "argv", "code", "script", "template", "program", "graphql", "body_json"),
}
"""Parameters that make a tool do anything, unless their values are listed or of a narrow form."""
_MONEY = re.compile(
    r"(^|_)(amount|price|cost|fee|refund|balance|payment|money|cents)(_|$)|(^|_)(total|subtotal|sum|credit)$"
)
_NARROW = "Write one tool for each operation that is needed, with typed arguments of its own."
_LIST = "Give it a pattern that only such values fit, list its values (Literal), or leave it out."
_TYPE = "Name every member with its type in a ToolModel; what nobody needs is left out."
_PROBES = ("'; DROP TABLE orders; --", "http://203.0.113.9/x?y=1", "$(rm -rf /)", "SELECT 1", "a" * 5000)
"""What a value of a narrow form cannot be."""


@dataclass(frozen=True)
class Finding:
    """One rule that a tool breaks. An `error` keeps its workflow from being loaded."""

    rule: str
    level: Level
    tool: str
    says: str
    why: str
    do: str
    field: str = ""


Broken = Callable[[AnyTool], Iterator[tuple[str, str]]]
"""Pairs of a field ("" for the whole tool) and what is wrong there, in words that follow its name."""


@dataclass(frozen=True)
class Rule:
    """A named demand on tools. Its id is stable."""

    id: str
    level: Level
    why: str
    do: str
    broken: Broken


RULES: list[Rule] = []


def rule(rule_id: str, *, do: str, level: Level = "error") -> Callable[[Broken], Broken]:
    """Make a rule of a function; its docstring says why the rule is there, `do` how to keep it."""

    def add(broken: Broken) -> Broken:
        RULES.append(Rule(rule_id, level, (broken.__doc__ or "").strip(), do, broken))
        return broken

    return add


def lint(tool: AnyTool) -> list[Finding]:
    """Every rule that the tool breaks, errors first."""
    found = [
        Finding(rule.id, rule.level, tool.name, says, rule.why, rule.do, field)
        for rule in RULES
        for field, says in dict.fromkeys(rule.broken(tool))
    ]
    return sorted(found, key=lambda finding: finding.level)


@rule("generic-tool", do=_NARROW)
def _generic_name(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """A tool that can do anything cannot be judged by policy."""
    words = set(re.findall(r"[a-z0-9]+", tool.name.partition(".")[2].lower()))
    if words & _GENERIC and words <= _GENERIC | _DOES:
        yield "", f"{tool.name!r} names no operation, only a way to do any"


@rule("tool-name", do="Rename it.")
def _foreign_name(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """A name with look-alike letters passes for another tool."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", tool.name):
        yield "", f"{tool.name!r} is not written `system.operation` in small Latin letters, digits and underscores"


@rule("free-form-parameter", do=_LIST)
def _free_form(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """A program, query or address as text undoes every limit."""
    for field, part in _properties(tool.request):
        if field.rpartition(".")[2].lower() in _FREE_FORM and any(map(_takes_anything, _alternatives(part))):
            yield field, "takes free text under a name that stands for a program, a query or an address"


@rule("untyped-argument", do=_TYPE)
def _untyped_argument(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """What has no type cannot be checked, and policy cannot judge it."""
    yield from _untyped(tool.request)


@rule("untyped-reply", do=_TYPE)
def _untyped_reply(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """What has no type cannot be checked, and anything may stand in it."""
    yield from _untyped(tool.reply, maps=True)


def too_many_tools(stage: Stage) -> Iterator[str]:
    """What is wrong with a stage in which a model chooses among more tools than it can tell apart."""
    thinks = stage.kind in ("model", "agent") or bool(stage.prompt)
    if thinks and len(stage.tools) > MOST_TOOLS:
        offered = f"{len(stage.tools)} tools; {MOST_TOOLS} are the most"
        yield f"stage {stage.name!r} offers its model {offered} (too-many-tools)"


@rule("open-model", do="Derive it from ToolModel.")
def _open(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """An argument nobody lists reaches the system unseen."""
    for model in (tool.request, tool.reply):
        for name, part in parts_of(model).items():
            if part.get("type") == "object" and "properties" in part and part.get("additionalProperties") is not False:
                yield name, "accepts members that it does not list"


@rule("float-money", do="Use whole minor units or a decimal string.")
def _float_money(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """Sums would differ from what was approved."""
    for model in (tool.request, tool.reply):
        for field, part in _properties(model):
            if _MONEY.search(field.rpartition(".")[2]) and any(p.get("type") == "number" for p in _alternatives(part)):
                yield field, "is money in binary fractions, which cannot hold a cent"


@rule("money-without-currency", do="Put the currency beside it.")
def _money_alone(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """100 is not a sum."""
    for model in (tool.request, tool.reply):
        for name, part in parts_of(model).items():
            members = cast("Mapping[str, Part]", part.get("properties", {}))
            sums = [member for member in members if member.endswith("_cents") or "_cents_" in member]
            if sums and not any(member.endswith("currency") for member in members):
                yield f"{name}.{sums[0]}", "is a sum without a currency beside it"


@rule("no-timeout", do=f"Set timeout_s up to {LONGEST_S:g}.")
def _no_timeout(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """A call that never ends holds its run."""
    if not (math.isfinite(tool.timeout_s) and 0 < tool.timeout_s <= LONGEST_S):
        yield "", f"has a time limit of {tool.timeout_s:g} s (timeout_s)"


@rule("unknown-field", do="Name a field of the request.")
def _unknown_field(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """A misspelt name switches off what it was for."""
    named = (*tool.idempotent_by, *tool.preconditions, tool.target, tool.amount, tool.currency)
    for name in named:
        if name and name not in tool.request.model_fields:
            yield name, "is named by the contract and is no field of the request"


@rule("foreign-scope", do="Name a scope '<system>:<right>'.")
def _scope(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """Rights are given by system."""
    if not any(scope.startswith(f"{tool.system}:") for scope in tool.scopes):
        yield "", f"has no scope of its system, as in '{tool.system}:read'"


@rule("write-facts", do="Say it in @tool(…).")
def _write_facts(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """Reviewers and recovery need them."""
    if not tool.writes:
        return
    if not tool.target:
        yield "", "changes something and does not say what (target)"
    if "only reads" in tool.undo or len(tool.undo) < 10:
        yield "", "changes something and does not say how a person takes it back (undo)"
    if tool.blast_radius == "none":
        yield "", "changes something and says that it reaches nobody (blast_radius)"
    if any(scope.endswith(":read") for scope in tool.scopes):
        yield "", "changes something with a scope for reading"
    if tool.effect == "idempotent" and not tool.idempotent_by:
        yield "", "is idempotent and does not say what makes two calls the same (idempotent_by)"


@rule("no-summary", do="Begin the docstring with one sentence.")
def _summary(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """Models choose tools by it."""
    if tool.summary == tool.name or not tool.summary.endswith("."):
        yield "", "has no docstring that begins with one sentence: that is what models and reviewers read"


@rule("unbounded-text", do="Set max_length.", level="warning")
def _unbounded(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """What is sent outside should have a size."""
    for field, part in _properties(tool.request) if tool.writes else ():
        for one in _alternatives(part):
            if "maxLength" not in one and _takes_anything(one):
                yield field, "is text of any length"
            if one.get("type") == "array" and "maxItems" not in one:
                yield field, "is a list of any length"


@rule("amount-without-currency", do="Set currency='…'.", level="warning")
def _amount_alone(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """Sums of several currencies add up to nothing."""
    if tool.amount and not tool.currency:
        yield tool.amount, "is the sum at stake, and the contract names no field with its currency"


@rule("amount-not-countable", do="Use whole minor units or a decimal string of a pattern.")
def _amount_not_countable(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """A cap on money cannot add up what is no number."""
    for field, part in _properties(tool.request) if tool.amount else ():
        if field == f"{tool.request.__name__}.{tool.amount}" and not all(map(_is_countable, _alternatives(part))):
            yield field, "is the sum at stake, and neither a whole number nor text of a pattern"


def _is_countable(part: Part) -> bool:
    return part.get("type") in ("integer", "null") or (part.get("type") == "string" and "pattern" in part)


def _untyped(model: type[BaseModel], *, maps: bool = False) -> Iterator[tuple[str, str]]:
    """`maps`: names that nobody lists are in order where the values have a type, as the options of a product."""
    for name, part in parts_of(model).items():
        if _is_untyped(part) and "anyOf" not in part:
            yield name, "may be anything"
    for field, part in _properties(model):
        found = [one for one in _alternatives(part) if _is_untyped(one)]
        if any(not (maps and _is_map(one)) for one in found):
            yield field, "may hold anything: it has no type, or is an object with members that nobody lists"


def _properties(model: type[BaseModel]) -> Iterator[tuple[str, Part]]:
    """Each member of a model and of the models inside it, as `Model.member`."""
    for name, part in parts_of(model).items():
        for member, schema in cast("Mapping[str, Part]", part.get("properties", {})).items():
            yield f"{name}.{member}", schema


def _alternatives(part: Part) -> Iterator[Part]:
    """What a value may be, and what each member of a list may be."""
    for key in ("anyOf", "oneOf", "allOf"):
        for one in cast("list[Part]", part.get(key, [])):
            yield from _alternatives(one)
    if not part.keys() & {"anyOf", "oneOf", "allOf"}:
        yield part
        for inner in (part.get("items"), *cast("list[Part]", part.get("prefixItems", []))):
            if isinstance(inner, dict):
                yield from _alternatives(inner)


def _takes_anything(part: Part) -> bool:
    if not is_free_text(part):
        return False
    pattern = re.compile(str(part.get("pattern", "")))
    longest = int(json.dumps(part.get("maxLength", 10**6)))
    return any(len(probe) <= longest and pattern.search(probe) for probe in _PROBES)


def _is_map(part: Part) -> bool:
    values = part.get("additionalProperties")
    return isinstance(values, dict) and not any(map(_is_untyped, _alternatives(values)))


def _is_untyped(part: Part) -> bool:
    if part.keys() & {"$ref", "enum", "const"}:
        return False
    kind: JsonValue | Any = part.get("type")
    if kind == "object":
        return "properties" not in part
    if kind == "array":
        return "items" not in part and "prefixItems" not in part
    return kind is None
