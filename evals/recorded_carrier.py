"""Carries runs whose systems answer from recorded traffic, or that go beyond what is recorded of their models.

Everything else is the engine's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from contracts.approval import Draft, Proposal
from contracts.context import ModelReply, Typed
from contracts.errors import RecordingMissing
from contracts.tool import Reply, Request, Tool
from engine.catalog.workflow import Workflow
from engine.gateway.calls import Gateway, RunTools
from engine.gateway.gates import RunGates
from engine.models.asking import RunModels
from engine.models.routing import Alias
from engine.runs.model import Run
from engine.store.journal import Journal
from engine.worker.advance import Carrier
from evals.tool_traffic import ToolTraffic


@dataclass(frozen=True)
class RecordedCarrier(Carrier):
    """With `traffic` no tool is run: whatever is called takes the answer that it has. Else tools are the engine's.

    Models of the aliases in `beyond` are asked where nothing is recorded, and only there.
    """

    traffic: ToolTraffic | None = None
    beyond: Mapping[str, Alias] = field(default_factory=dict)

    def tools(self, run: Run, journal: Journal, workflow: Workflow) -> RunTools:
        if self.traffic is None:
            return super().tools(run, journal, workflow)
        gateway = Gateway(self.database, self.systems, self.lease.send_within_s, self.controls)
        tools = _RecordedTools(gateway, journal, workflow, run)
        tools.traffic = self.traffic
        return tools

    def gates(self, run: Run, journal: Journal, workflow: Workflow) -> RunGates:
        if self.traffic is None:
            return super().gates(run, journal, workflow)
        gates = _RecordedGates(self.database, journal, workflow, run, systems=self.systems)
        gates.traffic = self.traffic
        return gates

    def asks(self, run: Run, journal: Journal, workflow: Workflow) -> RunModels:
        models = _RecordedFirst(self.database, journal, self.models, workflow, run)
        models.prompts = {name: prompt.alias for name, prompt in workflow.prompts.items()}
        models.aliases = self.beyond
        models.live = RunModels(self.database, journal, replace(self.models, routes=self.beyond), workflow, run)
        return models


class _RecordedTools(RunTools):
    traffic: ToolTraffic

    async def call(self, tool: Tool[Request, Reply], request: Request, *, request_id: str = "") -> Reply:
        return await super().call(self.traffic.standing_in(tool), request, request_id=request_id)


class _RecordedGates(RunGates):
    """Nobody looks at a preview in an eval, and none was recorded."""

    traffic: ToolTraffic

    async def freeze(self, tool: Tool[Request, Reply], draft: Draft) -> Proposal:
        return await super().freeze(self.traffic.standing_in(tool), draft)


class _RecordedFirst(RunModels):
    prompts: Mapping[str, str]
    aliases: Mapping[str, Alias]
    live: RunModels

    async def ask(self, prompt: str, returns: type[Typed], **values: JsonValue) -> ModelReply[Typed]:
        try:
            return await super().ask(prompt, returns, **values)
        except RecordingMissing:
            if self.prompts[prompt] not in self.aliases:
                raise
        return await self.live.ask(prompt, returns, **values)
