"""Review time: nights, week-ends, holidays and the days on which clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.policy import Hours
from engine.approvals.hours import later, passed, problems_of

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Hours("Europe/Berlin")
HOUR_S = 3600


def at(text: str) -> datetime:
    """A time on a wall in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-11-18 10:00", 2, "2026-11-18 12:00"),
        ("2026-11-18 15:00", 2, "2026-11-18 17:00"),
        ("2026-11-18 16:00", 2, "2026-11-19 10:00"),
        ("2026-11-20 16:00", 2, "2026-11-23 10:00"),
        ("2026-11-21 12:00", 1, "2026-11-23 10:00"),
        ("2026-11-18 03:00", 8, "2026-11-18 17:00"),
        ("2026-11-18 03:00", 0, "2026-11-18 09:00"),
        ("2026-11-20 09:00", 80, "2026-12-03 17:00"),
        ("2026-03-27 16:00", 2, "2026-03-30 10:00"),
        ("2026-10-23 16:00", 2, "2026-10-26 10:00"),
    ],
)
def test_when_so_many_hours_of_review_have_passed(start: str, hours: float, end: str) -> None:
    assert later(at(start), hours * HOUR_S, OFFICE) == at(end)
    assert passed(at(start), at(end), OFFICE) == hours * HOUR_S


def test_on_a_holiday_nobody_works() -> None:
    closed = Hours("Europe/Berlin", closed_on=("2026-12-24", "2026-12-25"))

    assert later(at("2026-12-23 16:00"), 2 * HOUR_S, closed) == at("2026-12-28 10:00")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-22", 24)])
def test_a_day_around_the_clock_is_as_long_as_it_is(day: str, hours: int) -> None:
    always = Hours("Europe/Berlin", "00:00", "24:00", days=tuple(range(7)))
    start, end = at(f"{day} 00:00"), at(f"{date.fromisoformat(day) + timedelta(days=1)} 00:00")

    assert passed(start, end, always) == hours * HOUR_S
    assert later(start, hours * HOUR_S, always) == end


def test_the_night_in_which_clocks_change_shortens_a_shift_by_what_is_missing() -> None:
    night = Hours("Europe/Berlin", "01:00", "05:00", days=(6,))

    assert passed(at("2026-03-29 00:00"), at("2026-03-29 12:00"), night) == 3 * HOUR_S
    assert passed(at("2026-10-25 00:00"), at("2026-10-25 12:00"), night) == 5 * HOUR_S


def test_without_hours_every_second_counts() -> None:
    start = at("2026-11-20 16:00")

    assert later(start, 90, None) == start + timedelta(seconds=90)
    assert passed(start, start - timedelta(days=1), None) == 0


@st.composite
def hours(draw: st.DrawFn) -> Hours:
    opens = draw(st.integers(0, 23 * 60))
    closes = draw(st.integers(opens + 1, 24 * 60))
    days = draw(st.sets(st.integers(0, 6), min_size=1))
    zone = draw(st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]))
    closed = draw(st.sets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=5))
    clocks = [f"{minute // 60:02}:{minute % 60:02}" for minute in (opens, closes)]
    return Hours(zone, *clocks, tuple(days), tuple(day.isoformat() for day in closed))


instants = st.integers(0, 364 * 86_400).map(lambda second: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second))


@settings(deadline=None, max_examples=50)
@given(hours(), instants, st.integers(1, 200 * HOUR_S))
def test_what_has_passed_until_later_is_what_was_added(hours: Hours, start: datetime, seconds: int) -> None:
    end = later(start, seconds, hours)

    assert passed(start, end, hours) == seconds
    assert passed(start, end - timedelta(seconds=1), hours) == seconds - 1


@settings(deadline=None, max_examples=50)
@given(hours(), instants, st.integers(0, 90_000), st.integers(0, 90_000))
def test_later_by_two_spans_is_later_by_their_sum(hours: Hours, start: datetime, first: int, second: int) -> None:
    assert later(later(start, first, hours), second, hours) >= later(start, first + second, hours)
    assert passed(start, later(later(start, first, hours), second, hours), hours) == first + second


@pytest.mark.parametrize(
    ("wrong", "because"),
    [
        (Hours("Europe/Bärlin"), "time zone"),
        (Hours("UTC", days=()), "no day"),
        (Hours("UTC", days=(7,)), "no day"),
        (Hours("UTC", "17:00", "09:00"), "closes before"),
        (Hours("UTC", "9:00", "17:00"), "HH:MM"),
        (Hours("UTC", "nine"), "HH:MM"),
        (Hours("UTC", "09:00", "25:00"), "HH:MM"),
        (Hours("UTC", closed_on=("24.12.2026",)), "YYYY-MM-DD"),
    ],
)
def test_hours_that_cannot_be_are_refused(wrong: Hours, because: str) -> None:
    assert [problem for problem in problems_of(wrong) if because in problem]
    assert not list(problems_of(OFFICE))
