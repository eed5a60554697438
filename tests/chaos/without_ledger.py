"""A worker whose gateway forgets the ledger, to show that the chaos would notice. Only the harness starts it."""

from engine.gateway import calls, ledger
from engine.gateway.ledger import Entry, Intent, Step
from engine.runs.model import Run
from engine.store.database import Connection


async def _send_always(conn: Connection, run: Run, intent: Intent) -> Entry:
    return Entry(Step.SEND)


async def _forget(*told: object) -> bool:
    return True


async def _name_nobody(*told: object) -> None:
    """Whom a call names hangs on its row."""


def main() -> None:
    """`gatehouse`, without the ledger."""
    import cli  # noqa: PLC0415  # the doors are imported by nothing but what opens them

    if vars(calls)["ledger"] is not ledger:
        raise AssertionError("the gateway opens its rows elsewhere by now; the ledger would stay")
    vars(ledger).update(begin=_send_always, close=_forget)
    vars(calls).update(remember_parties=_name_nobody)
    cli.main()
