"""The last row: whatever was paid after its row had been judged."""

import asyncio

from evals.conformance.finding import Finding, Table, held_if
from evals.conformance.rig import Rig

RECOUNT = Table()
_SETTLES_S = 1.0


@RECOUNT.row("15", "count again after everything is over", wanted="nothing was paid after its row had been judged")
async def paid_later(rig: Rig) -> Finding:
    await asyncio.sleep(_SETTLES_S)
    late = [name for name, paid in rig.counted.items() if rig.payments.paid(name) != paid]
    return held_if(not late, f"{len(late)} of {len(rig.counted)} cases were paid later")
