"""What every tool must keep to, whoever wrote it; and that a tool that breaks a rule is found."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

import tools
from contracts.tool import Call, Tool, ToolModel, tool

AnyTool = Tool[ToolModel, ToolModel]
Schema = dict[str, JsonValue]

# A tool that takes one of these can be asked for anything, and no policy can judge it.
_FREE_FORM = {"sql", "query", "url", "command", "path", "method", "headers", "code", "script"}


def _tools() -> Iterator[AnyTool]:
    for module in pkgutil.iter_modules(tools.__path__, "tools."):
        yield from (found for found in vars(importlib.import_module(module.name)).values() if isinstance(found, Tool))


ALL = sorted(_tools(), key=lambda found: found.name)
WRITES = [found for found in ALL if found.writes]
_NAMES = [found.name for found in ALL]


def _objects(model: type[BaseModel]) -> Iterator[Schema]:
    schema = cast(Schema, model.model_json_schema())
    yield schema
    yield from (cast(Schema, part) for part in cast(Schema, schema.get("$defs", {})).values())


def _fields(model: type[BaseModel]) -> set[str]:
    return {name for part in _objects(model) for name in cast(Schema, part.get("properties", {}))}


def broken_rules(found: AnyTool) -> set[str]:
    """Names of the rules that a tool breaks."""
    parts = [*_objects(found.request), *_objects(found.reply)]
    request = set(found.request.model_fields)
    rules = {
        "summary is one sentence": found.summary != found.name and found.summary.endswith("."),
        "names its system and operation": found.name.count(".") == 1,
        "refuses unknown fields": all(part.get("additionalProperties") is False for part in parts),
        "is narrow": not _fields(found.request) & _FREE_FORM,
        "money has a currency": all(_money_is_whole(part) for part in parts),
        "has a scope of its system": any(scope.startswith(f"{found.system}:") for scope in found.scopes),
        "names request fields": {*found.idempotent_by, *found.preconditions, *filter(None, [found.target])} <= request,
        "has a limit in time": 0 < found.timeout_s <= 60,
    }
    if found.writes:
        rules |= {
            "a write names its target": bool(found.target),
            "a write says how it is undone": "only reads" not in found.undo,
            "a write reaches somebody": found.blast_radius != "none",
            "a write has a scope of its own": not any(scope.endswith(":read") for scope in found.scopes),
        }
    if found.effect == "idempotent":
        rules["an idempotent write says by what"] = bool(found.idempotent_by)
    return {rule for rule, kept in rules.items() if not kept}


def _money_is_whole(part: Schema) -> bool:
    properties = cast("dict[str, Schema]", part.get("properties", {}))
    cents = [schema for name, schema in properties.items() if "_cents" in name]
    return all(schema.get("type") == "integer" for schema in cents) and (
        not cents or any(name.endswith("currency") for name in properties)
    )


def _values(schema: Schema, defs: Schema) -> st.SearchStrategy[JsonValue]:  # noqa: PLR0911  # one line a JSON type
    if "$ref" in schema:
        return _values(cast(Schema, defs[str(schema["$ref"]).rpartition("/")[2]]), defs)
    if "anyOf" in schema:
        return st.one_of([_values(part, defs) for part in cast("list[Schema]", schema["anyOf"])])
    if "enum" in schema:
        return st.sampled_from(cast("list[JsonValue]", schema["enum"]))
    match schema.get("type"):
        case "object":
            properties = cast("dict[str, Schema]", schema.get("properties", {}))
            return st.fixed_dictionaries({name: _values(part, defs) for name, part in properties.items()})
        case "array":
            fewest = int(str(schema.get("minItems", 0)))
            return st.lists(_values(cast(Schema, schema["items"]), defs), min_size=fewest, max_size=2)
        case "integer":
            least = int(str(schema.get("exclusiveMinimum", -1))) + 1
            return st.integers(int(str(schema.get("minimum", least))), int(str(schema.get("maximum", 10**6))))
        case "string" if "pattern" in schema:
            return st.from_regex(str(schema["pattern"]).strip("^$"), fullmatch=True).filter(_fits(schema))
        case "string":
            sizes = {
                "min_size": int(str(schema.get("minLength", 0))),
                "max_size": int(str(schema.get("maxLength", 20))),
            }
            return st.text(st.characters(codec="utf-8"), **sizes)
        case kind:
            return {"boolean": st.booleans(), "null": st.none()}[str(kind)]


def _fits(schema: Schema) -> Callable[[str], bool]:
    return lambda text: len(text) <= int(str(schema.get("maxLength", 10**6)))


def test_the_contract_covers_the_tools_of_every_system() -> None:
    systems = {"crm", "billing", "mail", "suppliers", "purchasing", "accounting", "budgets", "shop_orders"}

    assert systems <= {found.system for found in ALL}
    assert len(_NAMES) == len(set(_NAMES))


@pytest.mark.parametrize("found", ALL, ids=_NAMES)
def test_a_tool_keeps_every_rule(found: AnyTool) -> None:
    assert broken_rules(found) == set()


@pytest.mark.parametrize("model", dict.fromkeys(model for found in ALL for model in (found.request, found.reply)))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_requests_and_replies_survive_json(model: type[ToolModel], data: st.DataObject) -> None:
    schema = cast(Schema, model.model_json_schema())
    value = model.model_validate(data.draw(_values(schema, cast(Schema, schema.get("$defs", {})))))

    assert model.model_validate_json(value.model_dump_json()) == value
    assert model.model_validate(value.model_dump(mode="json")) == value


@pytest.mark.parametrize("found", WRITES, ids=lambda found: found.name)
def test_a_write_can_be_judged_by_what_it_is(found: AnyTool) -> None:
    assert found.reversibility in {"compensable", "irreversible"}
    assert len(found.undo) > 20


class _Anything(BaseModel):
    sql: str
    amount_cents: float


@tool(effect="idempotent", scopes=("billing:read",), idempotent_by=("order_id",))  # type: ignore[type-var]  # on purpose
async def run_anything(request: _Anything, call: Call) -> _Anything:
    return request


def test_a_tool_that_breaks_the_rules_is_found() -> None:
    assert broken_rules(cast(AnyTool, run_anything)) == {
        "summary is one sentence",
        "refuses unknown fields",
        "is narrow",
        "money has a currency",
        "has a scope of its system",
        "names request fields",
        "a write names its target",
        "a write says how it is undone",
        "a write reaches somebody",
        "a write has a scope of its own",
    }
