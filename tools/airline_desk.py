"""The airline's own desk: tasks that its people find and work on."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.sink import Limits, Sink
from contracts.tool import Call, ToolModel, tool
from tools.airline_customers import CustomerId
from tools.fields import ReservationId


class TaskRequest(ToolModel):
    customer_id: CustomerId
    reservation_id: ReservationId
    kind: Literal["follow_up", "exception"]
    """An exception is something that the rules do not allow and an administrator is asked for."""
    subject: Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")]
    text: Annotated[str, Field(min_length=1, max_length=2000)]


class DeskTask(ToolModel):
    task_id: Annotated[str, Field(pattern=r"^TK-[0-9A-F]{12}$")]


@tool(
    effect="idempotent",
    reversibility="compensable",
    blast_radius="team",
    scopes=("airline_desk:tasks",),
    target="reservation_id",
    idempotent_by=("reservation_id", "kind", "subject"),
    sinks={
        "customer_id": Sink("identifier"),
        "reservation_id": Sink("identifier", nouns=("reservation", "booking")),
        "text": Sink("content"),
    },
    trusted=("task_id",),
    limits=Limits(per_case=5),
    undo="Close the task at the desk.",
)
async def leave_task(request: TaskRequest, call: Call) -> DeskTask:
    """Leave a task about a reservation with the airline's people; nothing of the reservation changes.

    Repeats of the key are answered with the first reply.
    """
    return DeskTask.model_validate(await call.send("POST", "/tasks", body=request.model_dump(mode="json")))
