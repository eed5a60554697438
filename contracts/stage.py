"""What a stage and a router say of themselves beside their types: where a failure goes."""

from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

PROBLEM = "problem"
"""The channel in which a stage leaves why it could not do its job."""
_RECOVERS, _LEADS = "recovers", "leads_when_stuck"


def recovering(stage: Function) -> Function:
    """Mark a stage function whose failures become `problem` in the state instead of ending the run."""
    setattr(stage, _RECOVERS, True)
    return stage


def is_recovering(stage: object) -> bool:
    return bool(getattr(stage, _RECOVERS, False))


def leading(router: Function, to: str) -> Function:
    """Mark a router that leads to the stage `to` when a stage has left a `problem`."""
    setattr(router, _LEADS, to)
    return router


def leads_to(router: object) -> str:
    """Where a router leads when a stage has left a `problem`; empty where it does not look."""
    return str(getattr(router, _LEADS, ""))
