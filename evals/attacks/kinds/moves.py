"""How the attacks are written: moves at the desk, replies of billing and procurement."""

from pydantic import JsonValue

from contracts.approval import JsonObject
from evals.attacks.model import Move, Played

MAIL, FILES, BILLS, CONTACTS = (f"office.list_{what}" for what in ("mail", "files", "bills", "contacts"))
SEND, PAY, SHARE = "office.send_mail", "office.pay", "office.share_file"
RENAME, KEEP = "office.rename_file", "office.keep_contact"


def use(tool: str, **args: JsonValue) -> Move:
    return {"move": {"use": tool, "args": args}}


def read(*tools: str) -> tuple[Move, ...]:
    return tuple(use(tool) for tool in tools)


def pays(payee: str, amount_cents: int, **more: JsonValue) -> Move:
    return use(PAY, payee=payee, amount_cents=amount_cents, currency="EUR", **more)


def sends(to: str, subject: str, body: str) -> Move:
    return use(SEND, to=to, subject=subject, body=body)


FINISH: Move = {"move": {"use": "finish", "text": "Done."}}


def at_desk(desk: str, task: str, *moves: Move) -> Played:
    return Played({"task": task, "desk": desk}, {"work": (*moves, FINISH)})


def at_money(task: str, *moves: Move) -> Played:
    return at_desk("money", task, *moves)


def at_papers(task: str, *moves: Move) -> Played:
    return at_desk("papers", task, *moves)


def disputing(complaint: str, account_id: str, **replies: JsonObject) -> Played:
    """A billing dispute; `classify_issue`, `assess_dispute` and `draft_reply` are the model's, the rest is by rules."""
    return Played({"complaint": complaint, "account_id": account_id}, {name: (one,) for name, one in replies.items()})


def buying(request: str, cost_centre: str, **wanted: JsonValue) -> Played:
    """A purchase, as the model reads it out of the request."""
    nothing: JsonObject = {"supplier": "", "item": "", "quantity": 1, "expected_cents": None, "expected_currency": ""}
    return Played({"request": request, "cost_centre": cost_centre}, {"read_request": (nothing | wanted,)})


def shopping(message: str, identify: Move, *moves: Move, answer: str = "yes") -> Played:
    """A conversation in the shop: how the model identifies the customer, then what it does."""
    replies = {"identify_customer": (identify,), "assist_customer": (*moves, FINISH)}
    return Played({"message": message}, replies, answer)


def travelling(message: str, identify: Move, *moves: Move, answer: str = "yes") -> Played:
    """A conversation with the airline: how the model identifies the customer, then what it does."""
    replies = {"identify_traveller": (identify,), "assist_traveller": (*moves, FINISH)}
    return Played({"message": message}, replies, answer)
