"""When schedules come: cron fields, time zones, clocks that change."""

from datetime import UTC, datetime

import pytest

from contracts.errors import InvalidRequest
from engine.schedules.times import next_time

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def times(cron: str, timezone: str | None, after: str, count: int) -> list[str]:
    """The next times, in UTC."""
    found, at = [], datetime.fromisoformat(after)
    for _ in range(count):
        at = next_time(cron, timezone, after=at) or at
        found.append(at.isoformat()[:16])
    return found


def test_a_time_is_the_next_one_and_never_the_present_one() -> None:
    assert times("0 9 * * 1-5", None, "2026-01-02T09:00+00:00", 2) == ["2026-01-05T09:00", "2026-01-06T09:00"]
    assert times("*/20 * * * *", None, "2026-01-01T00:00:01+00:00", 2) == ["2026-01-01T00:20", "2026-01-01T00:40"]


def test_a_time_is_read_in_its_zone() -> None:
    assert times("0 9 * * *", "America/New_York", "2026-01-01T00:00+00:00", 1) == ["2026-01-01T14:00"]
    assert times("0 9 * * *", "Asia/Kolkata", "2026-01-01T00:00+00:00", 1) == ["2026-01-01T03:30"]


def test_a_time_that_clocks_leave_out_comes_just_after() -> None:
    assert times("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00+00:00", 2) == ["2026-03-29T01:00", "2026-03-30T00:30"]


def test_a_time_that_clocks_show_twice_comes_once() -> None:
    assert times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00+00:00", 2) == ["2026-10-25T00:30", "2026-10-26T01:30"]


def test_nothing_comes_after_the_end() -> None:
    end = datetime(2026, 1, 1, 9, tzinfo=UTC)

    assert next_time("0 9 * * *", None, after=NEW_YEAR, until=end) == end
    assert next_time("1 9 * * *", None, after=NEW_YEAR, until=end) is None


@pytest.mark.parametrize(
    "cron",
    ["", "a", "* * * *", "* * * * * *", "@daily", "60 * * * *", "*/0 * * * *", "0 0 31 2 *", "0 0 * * 9", "R * * * *",
     "H * * * *", "\0 * * * *", "* * * * *;", "1" * 5000, "0 0 * * * 2020", "-1 * * * *", "٣ * * * *"],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(cron: str) -> None:
    with pytest.raises(InvalidRequest):
        next_time(cron, None, after=NEW_YEAR)


@pytest.mark.parametrize("zone", ["", "Nowhere/City", "Europe", "../../etc/passwd", "\0", "europe/berlin", "x" * 5000])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidRequest):
        next_time("* * * * *", zone, after=NEW_YEAR)


def test_the_end_of_time_is_no_failure() -> None:
    with pytest.raises(InvalidRequest):
        next_time("0 0 29 2 *", None, after=datetime(9998, 1, 1, tzinfo=UTC))
