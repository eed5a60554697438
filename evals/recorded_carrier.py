"""Carries runs whose outside systems answer from recorded traffic: everything else is the engine's own."""

from dataclasses import dataclass, field

from contracts.approval import Draft, Proposal
from contracts.tool import Reply, Request, Tool
from engine.catalog.workflow import Workflow
from engine.gateway.calls import Gateway, RunTools
from engine.gateway.gates import RunGates
from engine.runs.model import Run
from engine.store.journal import Journal
from engine.worker.advance import Carrier
from evals.tool_traffic import ToolTraffic


@dataclass(frozen=True)
class RecordedCarrier(Carrier):
    """No tool is run: whatever is called takes the answer that `traffic` has for it."""

    traffic: ToolTraffic = field(default_factory=lambda: ToolTraffic((), ""))

    def tools(self, run: Run, journal: Journal, workflow: Workflow) -> RunTools:
        gateway = Gateway(self.database, self.systems, self.lease.send_within_s, self.controls)
        tools = _RecordedTools(gateway, journal, workflow, run)
        tools.traffic = self.traffic
        return tools

    def gates(self, run: Run, journal: Journal, workflow: Workflow) -> RunGates:
        gates = _RecordedGates(self.database, journal, workflow, run, systems=self.systems)
        gates.traffic = self.traffic
        return gates


class _RecordedTools(RunTools):
    traffic: ToolTraffic

    async def call(self, tool: Tool[Request, Reply], request: Request, *, request_id: str = "") -> Reply:
        return await super().call(self.traffic.standing_in(tool), request, request_id=request_id)


class _RecordedGates(RunGates):
    """Nobody looks at a preview in an eval, and none was recorded."""

    traffic: ToolTraffic

    async def freeze(self, tool: Tool[Request, Reply], draft: Draft) -> Proposal:
        return await super().freeze(self.traffic.standing_in(tool), draft)
