"""What every tool must keep to, whoever wrote it: closed schemas, versions, errors that can be corrected from."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, JsonValue, create_model

import tools
from contracts.correction import failure_of, read_arguments
from contracts.errors import InvalidArguments
from contracts.tool import AnyTool, Tool, ToolModel
from engine.catalog.lint import lint
from engine.catalog.tools import list_tools

Schema = dict[str, JsonValue]
ROOT = Path(__file__).parent.parent.parent


def _written() -> Iterator[AnyTool]:
    """Tools of this project, also those that no workflow uses."""
    for module in pkgutil.iter_modules(tools.__path__, "tools."):
        yield from (found for found in vars(importlib.import_module(module.name)).values() if isinstance(found, Tool))


def _used(registry: str) -> Iterator[AnyTool]:
    yield from (one.tool for one in list_tools(ROOT / registry / "langgraph.json"))


SHIPPED = sorted({one.name: one for one in (*_written(), *_used(""))}.values(), key=lambda found: found.name)
ALL = [*SHIPPED, *_used("tests/registry")]
WRITES = [found for found in SHIPPED if found.writes]
_NAMES = [found.name for found in ALL]


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
    systems = {"crm", "billing", "mail", "suppliers", "purchasing", "accounting", "budgets", "counter", "shop_orders"}

    assert systems <= {found.system for found in ALL}
    assert len(_NAMES) == len(set(_NAMES))


@pytest.mark.parametrize("found", ALL, ids=_NAMES)
def test_no_tool_breaks_a_rule(found: AnyTool) -> None:
    assert [finding for finding in lint(found) if finding.level == "error"] == []


@pytest.mark.parametrize("found", ALL, ids=_NAMES)
def test_an_argument_that_nobody_listed_is_refused_so_that_a_model_understands(found: AnyTool) -> None:
    with pytest.raises(InvalidArguments) as failed:
        read_arguments(found, {"approved_by": "the boss"})
    failure = failure_of(failed.value)

    assert {"code", "category", "message", "hint", "retryable", "problems"} == set(failure)
    assert (failure["category"], failure["retryable"]) == ("logic", False)
    assert "approved_by" in {problem["field"] for problem in failure["problems"]}
    assert failure["hint"]


@pytest.mark.parametrize("found", ALL, ids=_NAMES)
def test_another_schema_or_risk_is_another_version(found: AnyTool) -> None:
    wider = create_model("Wider", __base__=found.request, more=(Annotated[str, Field(max_length=3)], ...))
    told = create_model("Told", __base__=found.reply, more=(int, ...))
    other = replace(found, request=wider), replace(found, reply=told), replace(found, scopes=("x:y",))

    assert len({found.version, *(one.version for one in other)}) == 4
    assert replace(found).version == found.version


@pytest.mark.parametrize("model", dict.fromkeys(model for found in SHIPPED for model in (found.request, found.reply)))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
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
