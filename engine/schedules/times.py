"""When a schedule is due: five fields of cron in a time zone."""

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from contracts.errors import InvalidRequest

_LONGEST = 200


def next_time(cron: str, timezone: str | None, *, after: datetime, until: datetime | None = None) -> datetime | None:
    """The first time after `after` that fits, None if that lies beyond `until`.

    Where clocks are put forward, a time that is left out comes just after; where they are put back, a time of the day
    comes once. Raises `InvalidRequest` for what is no schedule, no time zone, or never comes.
    """
    if len(cron) > _LONGEST or len(cron.split()) != 5:
        raise InvalidRequest(f"A schedule has five fields, as in '0 9 * * 1-5': {cron[:_LONGEST]!r} has not.")
    try:
        found = next(CronSim(cron, after.astimezone(_zone(timezone)))).astimezone(UTC)
    except CronSimError as error:
        raise InvalidRequest(f"The schedule {cron!r} cannot be read: {error}.") from error
    except (StopIteration, OverflowError) as error:
        raise InvalidRequest(f"The schedule {cron!r} never comes.") from error
    return None if until is not None and found > until else found


def _zone(name: str | None) -> ZoneInfo:
    if name is None:
        return ZoneInfo("UTC")
    if name not in _known():
        raise InvalidRequest(f"There is no time zone {name!r}.", hint="Name it as in 'Europe/Berlin'.")
    return ZoneInfo(name)


@cache
def _known() -> set[str]:
    return available_timezones()
