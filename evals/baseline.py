"""The accepted behaviour of a workflow's cases: kept in a file, compared exactly."""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.approval import JsonObject
from contracts.errors import InvalidEvalFile
from evals.observation import Observation
from evals.worlds.sandbox import EffectKind

Baseline = dict[str, JsonObject]
"""Behaviour by case."""

_TELLING: dict[EffectKind, tuple[str, ...]] = {
    "refunds": ("charge_id", "amount_cents", "currency"),
    "credits": ("charge_id", "amount_cents", "currency"),
    "messages": ("to", "subject"),
    "orders": ("supplier_id", "offer_id", "quantity", "amount_cents", "currency"),
    "cancellations": (),
    "shop_cancellations": ("order_id", "reason", "refund"),
    "address_changes": ("order_id", "address"),
    "payment_changes": ("order_id", "payment_method_id", "amount"),
    "item_changes": ("order_id", "swaps", "payment_method_id", "price_difference"),
    "item_returns": ("order_id", "item_ids", "payment_method_id", "refund"),
    "item_exchanges": ("order_id", "swaps", "payment_method_id", "price_difference"),
    "profile_changes": ("customer_id", "address"),
    "bookings": ("customer_id", "segments", "cabin", "payments", "bags", "paid_bags", "insured", "price"),
    "reservation_cancellations": ("reservation_id", "reason", "refund"),
    "flight_changes": ("reservation_id", "segments", "cabin", "payment_method_id", "price_difference"),
    "bag_changes": ("reservation_id", "bags", "paid_bags", "payment_method_id", "price"),
    "passenger_changes": ("reservation_id", "passengers"),
    "certificates": ("customer_id", "reservation_id", "because", "amount"),
    "desk_tasks": ("reservation_id", "kind", "subject"),
}
"""What of an effect is compared: nothing that differs from run to run."""
_COMPARED = {"outcome", "problem", "path", "gates", "effects"}
_ANEW = "Look at what the cases do now, and write it anew: gatehouse eval run --accept"


@dataclass(frozen=True)
class Flip:
    """One case that differs from the baseline."""

    case: str
    change: str
    """`changed`, `new` or `gone`."""
    diff: tuple[str, ...] = ()


def behaviour(seen: Observation) -> JsonObject:
    """What of a case is compared: the same in every run of the same code."""
    return {
        "outcome": seen.outcome,
        "problem": dict(seen.problem),
        "path": list(seen.path),
        "gates": list(seen.gates),
        "effects": _effects(seen),
    }


def _effects(seen: Observation) -> JsonObject:
    """By kind what worlds have done; by tool what was sent where no world was asked."""
    if not seen.recorded:
        return {
            kind: [{name: effect.get(name) for name in _TELLING[kind]} for effect in done]
            for kind, done in seen.done.items()
        }
    tools = dict.fromkeys(str(call["tool"]) for call in seen.executed)
    return {tool: [call["args"] for call in seen.executed if call["tool"] == tool] for tool in tools}


def read_baseline(file: Path) -> Baseline | None:
    """None when there is none yet. Raises `InvalidEvalFile` for a file that is none, or of another version of evals."""
    if not file.exists():
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        baseline = {str(name): dict(entry) for name, entry in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidEvalFile(f"{file.name} is not a baseline: {error}.", hint=_ANEW) from error
    for name, entry in baseline.items():
        if entry.keys() != _COMPARED:
            said = ", ".join(sorted(entry.keys() ^ _COMPARED))
            raise InvalidEvalFile(
                f"{file.name} was written by another version: {name!r} differs in {said}.", hint=_ANEW
            )
    return baseline


def write_baseline(file: Path, baseline: Mapping[str, JsonObject]) -> None:
    """One field a line and cases in order of their names, so that `git diff` reads well."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(baseline, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def compare(accepted: Baseline, now: Baseline, *, judged: Iterable[str]) -> list[Flip]:
    """How `now` differs from what was accepted, over the cases in `judged`; by name."""
    flips = []
    for name in sorted(judged):
        before, after = accepted.get(name), now.get(name)
        if before is None:
            flips.append(Flip(name, "new"))
        elif after is None:
            flips.append(Flip(name, "gone"))
        elif before != after:
            flips.append(Flip(name, "changed", tuple(_diff(before, after))))
    return flips


def _diff(before: JsonObject, after: JsonObject) -> list[str]:
    old, new = (
        json.dumps(entry, indent=1, sort_keys=True, ensure_ascii=False).splitlines() for entry in (before, after)
    )
    return [line for line in difflib.unified_diff(old, new, n=1, lineterm="") if not line.startswith(("---", "+++"))]
