"""LangGraph's own tooling reads our langgraph.json: the graphs load from their files and draw."""

import importlib.util
import json
from pathlib import Path

from langgraph.graph.state import CompiledStateGraph
from langgraph_cli.config import validate_config_file

ROOT = Path(__file__).parents[2]
KNOWN = {
    "billing_dispute": ("approve_refund", ["complaint", "account_id"]),
    "booking": ("approve_change", ["message"]),
    "customer_service": ("approve_change", ["message"]),
    "procurement": ("approve_order", ["request", "cost_centre"]),
}


def test_the_registry_is_a_valid_langgraph_json() -> None:
    config = validate_config_file(ROOT / "langgraph.json")

    assert config["graphs"] == {name: f"./graphs/{name}/graph.py:graph" for name in KNOWN}


def test_each_graph_loads_from_its_file_and_draws() -> None:
    for name, target in json.loads((ROOT / "langgraph.json").read_text())["graphs"].items():
        file, attribute = target.split(":")
        spec = importlib.util.spec_from_file_location("loaded_by_path", ROOT / file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        graph = getattr(module, attribute)

        assert isinstance(graph, CompiledStateGraph)
        gate, inputs = KNOWN[name]
        assert gate in graph.get_graph().draw_mermaid()
        assert graph.get_input_jsonschema()["required"] == inputs
        assert graph.get_context_jsonschema() is not None
