"""A second model's reply is found beside that of the first, and compared as JSON."""

from typing import Any

from contracts.event import AuditRecord, Event
from engine.operations.shadowed import paired


def record(event: Event, **data: Any) -> AuditRecord:
    return {"event": event.value, "at": "", "run_id": "r", "actor": "", "data": {"prompt": "sort", "model": "m"} | data}


def test_replies_are_compared_by_what_was_asked_and_not_by_their_order() -> None:
    found = paired(
        [
            record(Event.MODEL_CALLED, asked="1", reply="no json", problem="it is none"),
            record(Event.MODEL_SHADOWED, asked="2", reply='{"a": 1, "b": 2}'),
            record(Event.MODEL_CALLED, asked="1", reply='{"a": 0}', problem=""),
            record(Event.MODEL_CALLED, asked="2", reply='{"b": 2, "a": 1}', problem=""),
            record(Event.MODEL_SHADOWED, asked="1", reply='{"a": 5}'),
        ]
    )

    assert [(f["agrees"], f["reply"]) for f in found] == [(True, '{"b": 2, "a": 1}'), (False, '{"a": 0}')]


def test_nothing_is_said_of_agreement_where_one_of_the_two_gave_no_reply() -> None:
    failed = record(Event.MODEL_SHADOWED, asked="1", reply="", problem="did not answer")
    alone = record(Event.MODEL_SHADOWED, asked="2", reply="{}")

    assert [f["agrees"] for f in paired([failed, alone])] == [None, None]
