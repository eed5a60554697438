"""`gatehouse runs resume`, `cancel` and `fork`: what makes runs go on, stop, or begin at an earlier place."""

import copy
import json
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import JsonValue

from commands.states import state_at, states_of_thread
from commands.terminal import explained, say, show_json
from commands.where import Key, Url, Where, own_tenant
from contracts.errors import AmbiguousResume, InvalidRequest, NothingToResume
from engine.operations.cases import show_run

Json = dict[str, Any]

RunId = Annotated[UUID, typer.Argument(metavar="RUN", help="Id of a run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]

_HOW = {
    "approval": "Decide with: gatehouse approvals approve {id}",
    "effect": "Say what became of it with: gatehouse effects resolve {id}",
    "question": "Say it in words, behind the id of the run.",
}


@explained
def resume(
    run: RunId,
    answer: Annotated[str, typer.Argument(help="An answer in words, or a decision as JSON.")] = "",
    interrupt: Annotated[str, typer.Option(help="Id of the interrupt, where the case waits at several.")] = "",
    url: Url = "",
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Answer what a run waits for, so that its case goes on; or let a failed case go on where it stands.

    A decision about an approval needs the key of a reviewer: also see gatehouse approvals.
    """
    where = Where(url, key)
    found = where.ask(f"/runs/{run}", lambda conn: show_run(conn, str(run), tenant=own_tenant()))
    body = {"assistant_id": found["workflow"], **_how_it_goes_on(found, answer, interrupt)}
    begun = where.send("POST", f"/threads/{found['thread_id']}/runs", body)
    if as_json:
        show_json(begun)
    else:
        say(f"Run {begun['run_id']} goes on with the case. Follow it: gatehouse runs watch {begun['run_id']}")


@explained
def cancel(run: RunId, url: Url = "", key: Key = "", as_json: AsJson = False) -> None:
    """Cancel a run: at once if it waits, at the next chance if a worker carries it."""
    where = Where(url, key)
    thread = where.ask(f"/runs/{run}", lambda conn: show_run(conn, str(run), tenant=own_tenant()))["thread_id"]
    where.send("POST", f"/threads/{thread}/runs/{run}/cancel")
    found = where.ask(f"/runs/{run}", lambda conn: show_run(conn, str(run), tenant=own_tenant()))
    if as_json:
        show_json(found)
    elif found["outcome"] == "cancelled":
        say(f"Run {run} is cancelled.")
    else:
        say(f"Run {run} is asked to stop; its worker does so at the next chance. Follow it: gatehouse runs watch {run}")


@explained
def fork(
    run: RunId,
    at: Annotated[str, typer.Option(help="Step or checkpoint to begin at: gatehouse runs steps RUN")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="State to change first; may be given again.")
    ] = None,
    url: Url = "",
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Run a case again from an earlier step, on a copy that never acts: its calls that would write are refused.

    KEY may lead into a value, as in finding.amount_cents; VALUE is JSON, or text.
    """
    where = Where(url, key)
    found = where.ask(f"/runs/{run}", lambda conn: show_run(conn, str(run), tenant=own_tenant()))
    with where.sending() as send:
        state = state_at(states_of_thread(found["thread_id"], send), at)
        thread = send("POST", f"/threads/{found['thread_id']}/copy", None)["thread_id"]
        place = state["checkpoint"]["checkpoint_id"]
        if set_:
            written = {"values": _with_changes(state["values"], set_), "checkpoint_id": place}
            place = send("POST", f"/threads/{thread}/state", written)["checkpoint"]["checkpoint_id"]
        body = {"assistant_id": found["workflow"], "input": None, "checkpoint_id": place}
        begun = send("POST", f"/threads/{thread}/runs", body)
    if as_json:
        show_json(begun)
    else:
        say(f"Run {begun['run_id']} begins at step {state['metadata'].get('step')} on the copy {thread}.")
        say(f"Follow it: gatehouse runs watch {begun['run_id']}")


def _with_changes(values: Json, changes: list[str]) -> Json:
    """The channels that `changes` touch, changed. Raises `InvalidRequest` for one that leads nowhere."""
    changed = copy.deepcopy(values)
    for change in changes:
        path, equals, value = change.partition("=")
        *parents, last = path.split(".")
        inner: Any = changed
        for name in parents:
            inner = inner.get(name) if isinstance(inner, dict) else None
        if not equals or not isinstance(inner, dict):
            raise InvalidRequest(
                f"{change!r} is no KEY=VALUE of this state.",
                hint="See what there is: gatehouse runs state RUN --at STEP",
            )
        inner[last] = _value(value)
    return {name: changed[name] for name in dict.fromkeys(c.partition("=")[0].split(".")[0] for c in changes)}


def _value(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return text
    return value


def _how_it_goes_on(found: Json, answer: str, interrupt: str) -> Json:
    """The members of the request that continue the case. Raises `NothingToResume`, `AmbiguousResume`."""
    stopped = found["waits"] and not found["waits_for"]  # before or behind a stage, as its caller asked
    if stopped or found["status"] in ("error", "timeout"):
        return {"input": None}
    waiting = [item for item in found["waits_for"] if interrupt in ("", item["interrupt_id"])]
    if not waiting:
        raise NothingToResume(
            f"Run {found['run_id']} is {found['status']!r} and waits for nobody.",
            hint=f"See where its case stands: gatehouse runs show {found['legs'][-1]['run_id']}",
        )
    if len(waiting) > 1:
        listed = ", ".join(f"{item['interrupt_id']} ({item['stage']})" for item in waiting)
        raise AmbiguousResume(f"The case waits at several places: {listed}.", hint="Name one with --interrupt ID.")
    return {"command": {"resume": {waiting[0]["interrupt_id"]: _read(answer, waiting[0])}}}


def _read(answer: str, item: Json) -> JsonValue:
    """An answer as the route takes it: words, or JSON for a decision."""
    if not answer:
        raise NothingToResume(f"An answer is missing to: {item['asks']}", hint=_HOW[item["kind"]].format(**item))
    try:
        read: JsonValue = json.loads(answer)
    except ValueError:
        return {"text": answer} if item["kind"] == "question" else answer
    return read if isinstance(read, dict) else {"text": answer}
