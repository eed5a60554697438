"""The tasks as their folder has them, and the forms in which they and we say the same thing."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from contracts.errors import ConfigurationError
from evals.tau_bench.on_record import Said, tasks_in
from evals.worlds.retail_changes import as_said
from tools import shop_orders

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_NAME = re.compile(r"[Nn]ame is ([A-Z]\w+) ([A-Z]\w+)")
_ZIP = re.compile(r"zip code is (\d{5})")
_ORDER = re.compile(r"#W\d{7}")


@dataclass(frozen=True)
class Action:
    """One gold action: the tool of ours that it names, and the arguments that the assistant gives."""

    tool: str
    args: Said
    observation: str
    """What is on record for it: an order as JSON, or a sentence that begins with `Error`."""

    @property
    def order_id(self) -> str:
        return str(self.args["order_id"])

    @property
    def fails(self) -> bool:
        return not self.observation.startswith("{")


@dataclass(frozen=True)
class Task:
    """One task: what the customer wants, what is to be done for them, and what the database is then."""

    number: int
    words: str
    actions: tuple[Action, ...]
    final_digest: str

    @property
    def identity(self) -> tuple[str, Said]:
        """The tool that finds the customer by what they say of themselves, and its arguments."""
        if found := _EMAIL.search(self.words):
            return "shop_customers.find_by_email", {"email": found[0].rstrip(".")}
        name, code = _NAME.search(self.words), _ZIP.search(self.words)
        if name is None or code is None:
            raise ConfigurationError(f"The customer of task {self.number} does not say who they are.")
        return "shop_customers.find_by_name", {"first_name": name[1], "last_name": name[2], "zip": code[1]}

    def other_orders(self, order_id: str) -> list[str]:
        """Orders of which the customer speaks beside this one: an address may be like theirs."""
        return [found for found in dict.fromkeys(_ORDER.findall(self.words)) if found != order_id]


def read_tasks(folder: Path) -> list[Task]:
    """Every task. Raises `ConfigurationError` for a folder that is not one of these."""
    return tasks_in(folder, _task, beside=("orders.json", "products.json", "users.json"))


def _task(said: Said) -> Task:
    pairs = zip(said["actions"], said["observations"], strict=True)
    actions = tuple(Action(*_translated(action["name"], action["kwargs"]), seen) for action, seen in pairs)
    return Task(said["task"], said["instruction"], actions, said["final_data_sha256"])


def _translated(name: str, args: Said) -> tuple[str, Said]:
    order = {"order_id": args["order_id"]}
    pays = {"payment_method_id": args.get("payment_method_id")}
    match name:
        case "cancel_pending_order":
            return shop_orders.cancel_order.name, order | {"reason": args["reason"]}
        case "modify_pending_order_address":
            return shop_orders.change_address.name, order | {"address": as_said(args)}
        case "modify_pending_order_payment":
            return shop_orders.change_payment.name, order | pays
        case "modify_pending_order_items":
            return shop_orders.change_items.name, order | pays | {"swaps": list(_swaps(args))}
        case "exchange_delivered_order_items":
            return shop_orders.exchange_items.name, order | pays | {"swaps": list(_swaps(args))}
        case "return_delivered_order_items":
            return shop_orders.return_items.name, order | pays | {"item_ids": args["item_ids"]}
    raise ValueError(f"no gold action is called {name!r}")


def _swaps(args: Said) -> Iterator[Said]:
    for item_id, new_item_id in zip(args["item_ids"], args["new_item_ids"], strict=True):
        yield {"item_id": item_id, "new_item_id": new_item_id}


def in_cents(observation: str) -> Any:
    """An order on record with its sums as decimals: it has some with the noise of binary fractions behind the cents."""
    return json.loads(observation, parse_float=lambda number: f"{Decimal(number):.2f}")


def as_recorded(order: Said) -> Said:
    """A reply of ours in the form that is on record, with sums as decimals."""
    recorded: Said = {
        "order_id": order["order_id"],
        "user_id": order["customer_id"],
        "address": _address(order["address"]),
        "items": [item | {"options": {o["name"]: o["value"] for o in item["options"]}} for item in order["items"]],
        "fulfillments": [{"tracking_id": s["tracking_ids"], "item_ids": s["item_ids"]} for s in order["shipments"]],
        "status": "pending (item modified)" if order["status"] == "pending, items changed" else order["status"],
        "payment_history": [
            {"transaction_type": p["kind"], "amount": p["amount"], "payment_method_id": p["payment_method_id"]}
            for p in order["payments"]
        ],
    }
    if order["cancelled_because"]:
        recorded["cancel_reason"] = order["cancelled_because"]
    if back := order["to_return"]:
        recorded |= {"return_items": back["item_ids"], "return_payment_method_id": back["payment_method_id"]}
    if swapped := order["to_exchange"]:
        recorded |= {
            "exchange_items": swapped["item_ids"],
            "exchange_new_items": swapped["new_item_ids"],
            "exchange_payment_method_id": swapped["payment_method_id"],
            "exchange_price_difference": swapped["price_difference"],
        }
    return recorded


def _address(address: Said) -> Said:
    named = {"line_1": "address1", "line_2": "address2"}
    return {named.get(name, name): part for name, part in address.items()}
