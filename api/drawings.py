"""A workflow's graph for programs: its nodes and edges, the schemas of what goes in and out, its subgraphs."""

from collections.abc import Callable
from typing import Any

from langgraph.graph.state import CompiledStateGraph
from pydantic import PydanticUserError, TypeAdapter

from engine.catalog.workflow import Graph

Json = dict[str, Any]

_CONTEXT: Json = {"title": "Context", "type": "object", "description": "Told to the stages; it authorises nothing."}
_CONFIG: Json = {"title": "Configurable", "type": "object", "properties": {}}


async def graph_json(graph: Graph, xray: bool | int) -> Json:
    """Nodes and edges; `xray` opens subgraphs, to that depth if it is a number."""
    drawn: Json = (await graph.aget_graph(xray=xray)).to_json()
    for node in drawn["nodes"]:
        if isinstance(node.get("data"), dict):
            node["data"].pop("id", None)  # where a class lives is nobody's business
    return drawn


def schemas_json(name: str, graph: Graph) -> Json:
    """JSON Schemas of input, output and state; null where there is none."""
    return {
        "graph_id": name,
        "input_schema": _schema(graph.get_input_jsonschema),
        "output_schema": _schema(graph.get_output_jsonschema),
        "state_schema": _schema(TypeAdapter(graph.builder.state_schema).json_schema),
        "config_schema": _CONFIG,
        "context_schema": _CONTEXT,
    }


async def subgraphs_json(graph: Graph, *, namespace: str | None = None, recurse: bool) -> Json:
    """Schemas of the subgraphs by namespace."""
    found = [pair async for pair in graph.aget_subgraphs(namespace=namespace, recurse=recurse)]
    return {at: schemas_json(at, subgraph) for at, subgraph in found if isinstance(subgraph, CompiledStateGraph)}


def _schema(make: Callable[[], Json]) -> Json | None:
    try:
        return make()
    except PydanticUserError:
        return None  # a type that JSON Schema cannot describe
