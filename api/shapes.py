"""Our objects as the LangGraph API's JSON, field by field as `langgraph_sdk.schema` has them."""

import re
from collections.abc import Mapping
from typing import Any

from langgraph.types import Interrupt, StateSnapshot

from contracts.approval import JsonObject
from engine.approvals.batches import Batch
from engine.approvals.canaries import Canary, decision_of_canary
from engine.approvals.decisions import Decided
from engine.approvals.model import ApprovalRequest
from engine.assistants.model import Assistant, system_assistant_id
from engine.catalog.workflow import Workflow
from engine.runs.model import Run
from engine.worker.resume import pending_interrupts

Json = dict[str, Any]

_STEP = re.compile(r"([^.\[\]]+)|\[(-?\d+)\]")


def assistant_json(assistant: Assistant) -> Json:
    """An assistant, or one version of it."""
    setup = assistant.setup
    return {
        "assistant_id": assistant.id,
        "graph_id": setup.workflow,
        "name": setup.name,
        "description": setup.description,
        "config": setup.config,
        "context": setup.context,
        "metadata": setup.metadata,
        "version": assistant.version,
        "created_at": assistant.created_at,
        "updated_at": assistant.updated_at,
    }


def thread_json(thread: Mapping[str, Any], snapshot: StateSnapshot | None) -> Json:
    """A thread with its values and what it waits for."""
    tasks = snapshot.tasks if snapshot else ()
    return {
        "thread_id": str(thread["id"]),
        "created_at": thread["created_at"],
        "updated_at": thread["updated_at"],
        "state_updated_at": thread["updated_at"],
        "config": {},
        "metadata": thread["metadata"] | ({"graph_id": thread["workflow"]} if thread["workflow"] else {}),
        "status": thread["status"],
        "values": snapshot.values if snapshot else None,
        "interrupts": {t.id: [interrupt_json(i) for i in t.interrupts] for t in tasks if t.interrupts},
    }


def run_json(run: Run) -> Json:
    """A run; `outcome`, `actor` and `requester` are ours."""
    return {
        "run_id": run.id,
        "thread_id": run.thread_id,
        "assistant_id": run.assistant_id or system_assistant_id(run.workflow),
        "created_at": run.created_at,
        "updated_at": run.updated_at,
        "status": run.status,
        "metadata": run.metadata,
        "multitask_strategy": run.multitask_strategy,
        "kwargs": {"stream_mode": list(run.stream_modes), **run.options.stored()},
        "outcome": run.outcome,
        "actor": run.actor,
        "requester": run.requester,
        "version": run.version,
        "error": run.error,
    }


def extracted(shown: Json, paths: Mapping[str, str]) -> Json:
    """What stands at paths such as `values.messages[-1].content`; None where there is nothing."""
    return {name: _at(shown, path) for name, path in paths.items()}


def _at(value: Any, path: str) -> Any:
    for key, index in _STEP.findall(path):
        try:
            value = value[int(index)] if index else value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def interrupt_json(interrupt: Interrupt) -> Json:
    shown: Json = {"id": interrupt.id, "value": interrupt.value}
    return shown | ({"response_schema": interrupt.response_schema} if interrupt.response_schema else {})


def state_json(snapshot: StateSnapshot) -> Json:
    """A thread's state at one checkpoint. A task that is a subgraph names its newest checkpoint, or has its state."""
    tasks = [
        {
            "id": task.id,
            "name": task.name,
            "path": list(task.path),
            "error": str(task.error) if task.error else None,
            "interrupts": [interrupt_json(i) for i in task.interrupts],
            "checkpoint": checkpoint_json(task.state) if isinstance(task.state, dict) else None,
            "state": state_json(task.state) if isinstance(task.state, StateSnapshot) else None,
            "result": task.result,
        }
        for task in snapshot.tasks
    ]
    return {
        "values": snapshot.values,
        "next": list(snapshot.next),
        "checkpoint": checkpoint_json(snapshot.config),
        "metadata": dict(snapshot.metadata or {}),
        "created_at": snapshot.created_at,
        "parent_checkpoint": checkpoint_json(snapshot.parent_config) if snapshot.parent_config else None,
        "tasks": tasks,
        "interrupts": [interrupt_json(i) for i in pending_interrupts(snapshot).values()],
    }


def empty_state_json(thread_id: str) -> Json:
    """The state of a thread that has had no run."""
    checkpoint = {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": None, "checkpoint_map": None}
    nothing: Json = {"values": {}, "next": [], "tasks": [], "interrupts": [], "metadata": {}}
    return nothing | {"checkpoint": checkpoint, "created_at": None, "parent_checkpoint": None}


def result_json(run: Run, workflow: Workflow, snapshot: StateSnapshot | None) -> Json:
    """What `runs/wait` and `join` answer: the output, what it waits for, or `__error__`."""
    if run.status == "error":
        return {"__error__": run.error or {"error": "workflow_failed", "message": "The run failed."}}
    if snapshot is None:
        return {}
    channels = workflow.graph.output_channels
    names = [channels] if isinstance(channels, str) else list(channels)
    values: Json = {name: snapshot.values[name] for name in names if name in snapshot.values}
    if waiting := pending_interrupts(snapshot):
        values["__interrupt__"] = [interrupt_json(interrupt) for interrupt in waiting.values()]
    return values


def approval_json(request: ApprovalRequest) -> Json:
    """A request as a reviewer reads it: what will happen, why, on what evidence, how it is undone."""
    card = request.card
    return {
        "request_id": request.id,
        "status": request.status,
        "summary": card["summary"],
        "action": {"tool": request.tool, "tool_version": request.tool_version, "args": request.args},
        "action_digest": request.action_digest,
        "reason": card["reason"],
        "rule": request.rule,
        "why": request.why,
        "evidence": card["evidence"],
        "diff": card["diff"],
        "risk": card["risk"],
        "undo": card["undo"],
        "opinion": card["opinion"],
        "role": request.role,
        "quorum": {"roles": request.quorum.roles, "needed": request.quorum.needed, "always": request.quorum.always},
        "escalated_to": request.escalated_to,
        "level": request.level,
        "claimed_by": request.claimed_by,
        "claimed_until": request.claimed_until,
        "assigned_to": request.assigned_to,
        "queue": request.queue,
        "workflow": request.workflow,
        "thread_id": request.thread_id,
        "run_id": request.run_id,
        "interrupt_id": request.interrupt_id,
        "requester": request.requester,
        "requested_at": request.requested_at,
        "warn_at": request.warn_at,
        "due_at": request.due_at,
        "breach_at": request.breach_at,
        "expires_at": request.expires_at,
        "decided_at": request.decided_at,
        "decided_by": request.decided_by,
        "decision_reason": request.reason,
        "reason_code": request.reason_code,
        "message": request.message,
        "replaced_by": request.replaced_by,
    }


def decided_json(request_id: str, decided: Decided) -> Json:
    """What came of a decision; `decision` is null while a quorum wants more people."""
    return {
        "request_id": request_id,
        "decision": decided.decision,
        "votes": [{"by": vote.by, "type": vote.type} for vote in decided.votes],
        "thread_id": decided.run.thread_id,
        "run_id": decided.run.id,
    }


def canary_json(canary: Canary) -> Json:
    """What came of deciding a canary: in the shape of any decision, with what it was and whether it was caught."""
    decision = decision_of_canary(canary)
    return {
        "request_id": canary.request.id,
        "decision": decision,
        "votes": [{"by": decision["by"], "type": decision["type"]}],
        "thread_id": canary.request.thread_id,
        "run_id": canary.request.run_id,
        "canary": {"caught": canary.caught, "wrong": canary.wrong},
    }


def changes(before: JsonObject, after: JsonObject) -> list[Json]:
    """What an edit made of the arguments, field by field."""
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return [{"field": name, "before": before.get(name), "after": after.get(name)} for name in names]


def batch_json(batch: Batch) -> Json:
    """Requests of one class, with what a reviewer has to know before they decide about all of them."""
    return {
        "batch_digest": batch.digest,
        "requests": [approval_json(request) for request in batch.requests],
        "sums": {currency: vars(of) for currency, of in batch.sums.items()},
        "outliers": batch.outliers,
    }


def checkpoint_json(config: Any) -> Json:
    """How clients name a checkpoint."""
    found = config["configurable"]
    return {
        "thread_id": found.get("thread_id"),
        "checkpoint_ns": found.get("checkpoint_ns", ""),
        "checkpoint_id": found.get("checkpoint_id"),
        "checkpoint_map": found.get("checkpoint_map"),
    }
