"""One loaded workflow: its graph, policy, prompts, stand-ins and the digest that pins them."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_type_hints

from langgraph.graph.state import CompiledStateGraph
from pydantic import TypeAdapter, ValidationError

from contracts.approval import JsonObject
from contracts.correction import read_arguments
from contracts.errors import InvalidRequest, ToolNotGranted
from contracts.policy import HOST, Policy, Verdict
from contracts.tool import AnyTool
from engine.approvals.model import Judged, NormalCall
from engine.audit.audit import digest_of
from engine.catalog.policy import facts_of, policy_version
from engine.catalog.prompt import Prompt
from engine.policies.cedar import USUAL_MODE, CedarPolicies
from engine.policies.deciding import decide
from engine.policies.kinds import MODE

StandIn = Callable[[JsonObject], JsonObject]
"""Deterministic rules in place of a model: a prompt's values in, the reply out."""

Risk = Literal["routine", "medium", "high"]

Graph = CompiledStateGraph[Any, Any, Any, Any]


@dataclass(frozen=True)
class Stage:
    """What a node says of itself in its metadata."""

    name: str
    kind: str
    tools: tuple[str, ...]
    prompt: str


@dataclass(frozen=True)
class Workflow:
    """A workflow as the engine runs it."""

    name: str
    graph: Graph
    policy: Policy
    prompts: Mapping[str, Prompt]
    stand_ins: Mapping[str, StandIn]
    stages: Mapping[str, Stage]
    version: str
    manifest: JsonObject
    handwritten: str = ""
    """Cedar beside the policy."""
    folder: Path = Path()
    """Where it was loaded from."""

    @cached_property
    def _input(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.graph.builder.input_schema)

    @cached_property
    def inputs(self) -> set[str]:
        """The names of its input's fields."""
        return set(get_type_hints(self.graph.builder.input_schema))

    @cached_property
    def policies(self) -> CedarPolicies:
        """What judges its calls, parsed once. Raises `ConfigurationError`."""
        return CedarPolicies(self.policy, agent=self.name, handwritten=self.handwritten)

    def denies_reads_of(self, tool: str) -> bool:
        """Whether there is anything to judge a read by."""
        return any(known.verdict == "deny" for known in self.policies.known[tool].values())

    @cached_property
    def policy_version(self) -> str:
        return policy_version(self.policy, self.handwritten)

    @property
    def writes(self) -> bool:
        """Whether it may change anything outside."""
        return any(tool.writes for tool in self.policy.tools)

    def tool(self, name: str) -> AnyTool:
        """Raises `ToolNotGranted` for a tool that the policy neither lists nor takes another one back with."""
        for tool in self.policy.callable_tools:
            if tool.name == name:
                return tool
        raise ToolNotGranted(f"The policy of {self.name!r} does not list the tool {name!r}.")

    @cached_property
    def risk(self) -> Risk:
        """What its tools can do: nothing, something, or what nobody takes back or what reaches customers."""
        tools = self.policy.tools
        if any(t.reversibility == "irreversible" or t.blast_radius in ("customer", "company") for t in tools):
            return "high"
        return "medium" if self.writes else "routine"

    @property
    def input_schema(self) -> JsonObject:
        """JSON Schema of the input."""
        return self._input.json_schema()

    @cached_property
    def input_version(self) -> str:
        """Changes with the schema of the input: whoever wrote for another is not understood by accident."""
        return digest_of(self.input_schema)[:16]

    def require_input(self, value: JsonObject) -> None:
        """Raises `InvalidRequest`, with the schema, for an input that the graph's input type does not allow."""
        expected = self._input
        problems = [f"{name}: is not an input of this workflow" for name in sorted(set(value) - self.inputs)]
        try:
            expected.validate_python(value, strict=True)
        except ValidationError as error:
            problems += _problems(error)
        if problems:
            raise InvalidRequest(
                f"The input does not fit {self.name!r}: {'; '.join(problems)}", facts={"schema": expected.json_schema()}
            )

    def normalise(self, name: str, args: JsonObject) -> NormalCall:
        """A call as the tool's schema reads it. Raises `InvalidArguments` for what it refuses, `ToolNotGranted`."""
        tool = self.tool(name)
        normal = read_arguments(tool, args).model_dump(mode="json")
        preconditions = {field: normal[field] for field in tool.preconditions}
        return NormalCall(name, tool.version, normal, str(normal.get(tool.target, "")), preconditions)

    def judge(self, name: str, args: JsonObject, facts: JsonObject, host: JsonObject | None = None) -> Judged:
        """Normalise the call and ask policy about it; `host` is what the engine knows and no draft can say.

        Raises as `normalise` does.
        """
        call = self.normalise(name, args)
        known = facts_of(self.policy, name, call.args, facts, host)
        verdict = decide(self.policies, name, call.target, known)
        if known.get(MODE) == "shadow":
            otherwise = decide(self.policies, name, call.target, known | {MODE: USUAL_MODE})
            verdict = _in_the_shadow(verdict, otherwise)
        return Judged(call, facts, verdict, self.policy_version, host or {})


def _in_the_shadow(verdict: Verdict, otherwise: Verdict) -> Verdict:
    """Nothing is done, and what would have been is told."""
    would = f"It would have said: {otherwise.type} {otherwise.quorum.said()} ({otherwise.rule})."
    said: JsonObject = {f"{HOST}otherwise": otherwise.type, f"{HOST}otherwise_rule": otherwise.rule}
    return replace(verdict, why=f"{verdict.why} {would}", inputs=verdict.inputs | said)


def stages_of(graph: Graph) -> dict[str, Stage]:
    """The stages of a graph by name, from the metadata that `nodes/` gives them."""
    stages = {}
    for name, node in graph.nodes.items():
        if name.startswith("__"):
            continue
        said = node.metadata or {}
        stages[name] = Stage(name, said.get("kind", "code"), tuple(said.get("tools", ())), said.get("prompt", ""))
    return stages


def edges_of(workflow: Workflow) -> dict[str, list[str]]:
    """Where each stage can lead to; `end` is where the graph ends."""
    targets: dict[str, list[str]] = defaultdict(list)
    for edge in workflow.graph.get_graph().edges:
        targets[edge.source].append("end" if edge.target == "__end__" else edge.target)
    return targets


def _problems(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False, include_input=False)]
