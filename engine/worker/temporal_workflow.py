"""The workflow that Temporal keeps for each run: have a worker advance it, again if it was woken meanwhile.

Temporal loads this file into its sandbox, so nothing else is imported here.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

ACTIVITY = "gatehouse.advance"
_LONGEST = timedelta(days=7)


@workflow.defn(name="gatehouse.run")
class WakeRun:
    """Knows the run's id and nothing of what it does: state, leases and ledger are in Postgres."""

    def __init__(self) -> None:
        self._wishes = 0

    @workflow.signal
    def wake(self) -> None:
        """The run wants advancing, also if that began before."""
        self._wishes += 1

    @workflow.run
    async def carry(self, run_id: str, silent_s: float) -> None:
        """`silent_s`: how long a worker may be silent before another one is sent; longer than its lease."""
        heard = -1
        while heard != self._wishes:
            heard = self._wishes
            await workflow.execute_activity(
                ACTIVITY,
                run_id,
                start_to_close_timeout=_LONGEST,
                heartbeat_timeout=timedelta(seconds=silent_s),
                retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30)),
            )
