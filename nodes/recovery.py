"""What becomes of a stage whose model or tool failed: the case goes to a person, never to an unhandled error."""

import functools
from collections.abc import Callable, Mapping
from typing import Literal, TypeVar, get_args, get_type_hints

from langgraph.config import get_config
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from contracts.context import Context
from contracts.errors import BudgetExceeded, DigestMismatch, ModelError, NotConfirmed, PolicyDenied, ToolError
from contracts.stage import leading, recovering
from nodes.kinds import Stage

State = TypeVar("State")
Update = TypeVar("Update")


class Problem(TypedDict):
    """Why a stage could not do its job."""

    stage: str
    code: str
    category: str
    detail: str


class Stuck(TypedDict):
    """The update of a stage that could not do its job."""

    problem: Problem


def or_hand_off(stage: Stage[State, Update]) -> Stage[State, Update | Stuck]:
    """A failed model or tool, or a spent budget, becomes `problem` in the state; the router sends the case to a person.

    Retries, repairs and fallbacks have been tried by then. Errors of our own logic pass through and end the run.
    """

    @functools.wraps(stage)
    async def run(state: State, runtime: Runtime[Context]) -> Update | Stuck:
        try:
            return await stage(state, runtime)
        except (ModelError, ToolError, BudgetExceeded, DigestMismatch, NotConfirmed, PolicyDenied) as error:
            name = str(get_config()["metadata"]["langgraph_node"])
            return {"problem": Problem(stage=name, code=error.code, category=error.category, detail=error.detail)}

    return recovering(run)


Router = Callable[[State], str]


def unless_stuck(then: str | Router[State], *, otherwise: str = "hand_off", drifted: str = "") -> Router[State]:
    """A router that goes on as `then` says (a stage or a router), or to `otherwise` when the stage left a `problem`.

    To `drifted`, if one is named, when what was approved has changed meanwhile and stands in `drift`.

    Its annotation names every destination, so that LangGraph draws them.
    """

    def route(state: State) -> str:
        if isinstance(state, Mapping) and state.get("problem"):
            return otherwise
        if drifted and isinstance(state, Mapping) and state.get("drift"):
            return drifted
        return then if isinstance(then, str) else then(state)

    known = (then,) if isinstance(then, str) else get_args(get_type_hints(then)["return"])
    route.__name__ = f"after_{then if isinstance(then, str) else then.__name__.removeprefix('after_')}"
    named = dict.fromkeys((*known, otherwise, *([drifted] if drifted else ())))
    route.__annotations__ = {"return": Literal[(*named,)]}
    return leading(route, otherwise)
