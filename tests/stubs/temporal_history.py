"""Histories as a Temporal server would have written them, for replays without one."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import ActivityType, Payloads, WorkflowType
from temporalio.api.enums.v1 import EventType
from temporalio.api.history import v1
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter


class History:
    """The events of one workflow execution, in order."""

    def __init__(self, workflow: str, *arguments: Any) -> None:
        self._events: list[v1.HistoryEvent] = []
        queue, kind = TaskQueue(name="queue"), WorkflowType(name=workflow)
        self._add("workflow_execution_started", workflow_type=kind, task_queue=queue, input=_payloads(*arguments))

    def signalled(self, name: str) -> None:
        self._add("workflow_execution_signaled", signal_name=name, input=_payloads())

    def decided(self) -> int:
        """The workflow's code ran; returns the event that its commands refer to."""
        scheduled = self._add("workflow_task_scheduled", task_queue=TaskQueue(name="queue"))
        started = self._add("workflow_task_started", scheduled_event_id=scheduled)
        return self._add("workflow_task_completed", scheduled_event_id=scheduled, started_event_id=started)

    def called(self, activity: str, by: int, *arguments: Any) -> int:
        kind = ActivityType(name=activity)
        number = str(sum(e.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED for e in self._events) + 1)
        facts = {"activity_id": number, "activity_type": kind, "input": _payloads(*arguments)}
        return self._add("activity_task_scheduled", workflow_task_completed_event_id=by, **facts)

    def returned(self, call: int) -> None:
        started = self._add("activity_task_started", scheduled_event_id=call)
        result = _payloads(None)
        self._add("activity_task_completed", scheduled_event_id=call, started_event_id=started, result=result)

    def ended(self, by: int) -> WorkflowHistory:
        self._add("workflow_execution_completed", workflow_task_completed_event_id=by)
        return WorkflowHistory("workflow", self._events)

    def _add(self, kind: str, **facts: Any) -> int:
        number = len(self._events) + 1
        name = "".join(part.capitalize() for part in kind.split("_"))
        attributes = getattr(v1, f"{name}EventAttributes")(**facts)
        event = v1.HistoryEvent(
            event_id=number,
            event_type=EventType.Value(f"EVENT_TYPE_{kind.upper()}"),
            event_time=Timestamp(seconds=1_000 + number),
            **{f"{kind}_event_attributes": attributes},
        )
        self._events.append(event)
        return number


def _payloads(*values: Any) -> Payloads:
    return Payloads(payloads=DataConverter.default.payload_converter.to_payloads(values))
