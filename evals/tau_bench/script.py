"""A model that plays the gold actions: it must do what a real one has to, and learns only from the conversation."""

import json
from typing import Any

from engine.models.recording import Recording, Recordings
from evals.tau_bench.on_record import Said
from evals.tau_bench.tasks import Action, Task
from graphs.customer_service.wishes import WRITES
from tools import shop_catalogue, shop_customers, shop_orders

_WRITES = {tool.name for tool in WRITES}
_PROFILE = shop_customers.read_profile.name
_ORDER, _PRODUCT = shop_orders.read_order.name, shop_catalogue.read_product.name


class GoldModel(Recordings):
    """Answers every call of one conversation: identify the customer, read what each action needs, propose it, end."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self._task = task

    def take(self, case: str, stage: str, key: str, messages: list[str]) -> Recording:
        said = json.loads(messages[-1].partition(": ")[2])
        heard = [json.loads(entry["says"]) for entry in said["conversation"] if entry["who"] == "tool"]
        move = self._move(heard)
        return Recording(stage, key, "written", "script", json.dumps({"move": move}), [])

    def _move(self, heard: list[Said]) -> Said:
        if not heard:
            tool, args = self._task.identity
            return _use(tool, args)
        done = [place for place, one in enumerate(heard) if one["tool"] in _WRITES]
        if len(done) == len(self._task.actions):
            return {"use": "finish", "text": "Everything is done."}
        action = self._task.actions[len(done)]
        since = heard[done[-1] + 1 :] if done else heard
        return next(self._reads(action, since, heard), _use(action.tool, action.args))

    def _reads(self, action: Action, since: list[Said], heard: list[Said]) -> Any:
        """What is still to be read since the last change, in order: the order itself last, or the products after it."""
        read = [(one["tool"], *one["args"].values()) for one in since if one["tool"] in (_ORDER, _PRODUCT)]
        wanted = [(_ORDER, other) for other in self._task.other_orders(action.order_id) if "address" in action.args]
        wanted.append((_ORDER, action.order_id))
        wanted += [(_PRODUCT, product) for product in _products(action, heard)]
        for tool, key in wanted:
            if (tool, key) not in read:
                yield _use(tool, {"order_id" if tool == _ORDER else "product_id": key})


def _products(action: Action, heard: list[Said]) -> list[str]:
    meant = {swap["item_id"] for swap in action.args.get("swaps", ())}
    orders = [one["result"] for one in heard if one["tool"] == _ORDER and one["args"]["order_id"] == action.order_id]
    items = orders[-1].get("items", ()) if orders else ()
    return list(dict.fromkeys(item["product_id"] for item in items if item["item_id"] in meant))


def _use(tool: str, args: Said) -> Said:
    return {"use": tool, "args": args}
