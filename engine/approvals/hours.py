"""Review time: what passes of it between two instants, and when so much of it has passed. Pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from contracts.policy import Hours

_DAY = timedelta(days=1)
_MIDNIGHT = "24:00"


def later(start: datetime, seconds: float, hours: Hours | None) -> datetime:
    """When `seconds` of review time have passed since `start`, in UTC; without hours every second counts.

    What ends with a working day ends when it closes, not when the next one opens. Where clocks are put forward or back,
    a working day is as long as it really is.
    """
    start, left = start.astimezone(UTC), timedelta(seconds=seconds)
    if hours is None:
        return start + left
    for opens, closes in _open(start, hours):
        begins = max(opens, start)
        if left <= closes - begins:
            return begins + left
        left -= closes - begins
    raise ValueError("hours that never open")  # the catalog refuses them


def passed(start: datetime, end: datetime, hours: Hours | None) -> float:
    """Seconds of review time between two instants; 0 where the second is not after the first."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if hours is None or end <= start:
        return max(0.0, (end - start).total_seconds())
    total = timedelta()
    for opens, closes in _open(start, hours):
        if opens >= end:
            break
        total += min(closes, end) - max(opens, start)
    return total.total_seconds()


def problems_of(hours: Hours) -> Iterator[str]:
    """What is wrong with hours that somebody wrote, as ends of a sentence."""
    if hours.timezone not in available_timezones():
        yield f"names the time zone {hours.timezone!r}, which there is not"
    if not hours.days or not set(hours.days) <= set(range(7)):
        yield "opens on no day of the week, or on one that there is not"
    try:
        if _minutes(hours.opens) >= _minutes(hours.closes):
            yield "closes before it opens; hours over midnight are two queues"
        if any(date.fromisoformat(day).isoformat() != day for day in hours.closed_on):
            yield "has a date that is not YYYY-MM-DD"
    except ValueError:
        yield "has a time that is not HH:MM, or a date that is not YYYY-MM-DD"


def _open(start: datetime, hours: Hours) -> Iterator[tuple[datetime, datetime]]:
    """Spans in which somebody works and that end after `start`, in their order."""
    zone, closed = ZoneInfo(hours.timezone), set(hours.closed_on)
    day = start.astimezone(zone).date()
    while day < date.max:
        if day.weekday() in hours.days and day.isoformat() not in closed:
            opens, closes = _instant(day, hours.opens, zone), _instant(day, hours.closes, zone)
            if opens < closes and closes > start:
                yield opens, closes
        day += _DAY


def _instant(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """When a clock on the wall shows this; the first time where it does twice, and as before where it never does."""
    if clock == _MIDNIGHT:
        day, clock = day + _DAY, "00:00"
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)


def _minutes(clock: str) -> int:
    if clock == _MIDNIGHT:
        return 24 * 60
    hour, minute = clock.split(":")
    if len(clock) != 5:
        raise ValueError(clock)
    at = time(int(hour), int(minute))
    return at.hour * 60 + at.minute
