"""Schemathesis' hooks: most runs that it starts name a workflow that exists, and none starts next year."""

from typing import Any

import schemathesis


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    for one in body if isinstance(body, list) else [body]:
        if isinstance(one, dict) and isinstance(one.get("assistant_id"), str):
            one["assistant_id"] = "three_stages"
            if isinstance(one.get("after_seconds"), int | float):
                one["after_seconds"] = min(one["after_seconds"], 0.01)
    return body
