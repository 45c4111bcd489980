"""Times as members write them."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages.errors import Refusal
from bot.sessions.schedule.when import LATEST, parse_when

NOW = datetime.datetime(2026, 3, 14, 18, 0, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("in 2 h", "2026-03-14T20:00+00:00"),
        ("90m", "2026-03-14T19:30+00:00"),
        ("in 1 h 30 min", "2026-03-14T19:30+00:00"),
        ("3 days", "2026-03-17T18:00+00:00"),
        ("in 2 Stunden", "2026-03-14T20:00+00:00"),
        ("20:30", "2026-03-14T20:30+00:00"),
        ("9:05", "2026-03-15T09:05+00:00"),
        ("2026-03-20 20:30", "2026-03-20T20:30+00:00"),
        ("2026-03-20T20:30+01:00", "2026-03-20T19:30+00:00"),
        ("<t:1773600000:F>", "2026-03-15T18:40+00:00"),
        ("1773600000", "2026-03-15T18:40+00:00"),
    ],
)
def test_spans_dates_and_stamps_are_understood(words: str, expected: str) -> None:
    assert parse_when(words, NOW) == datetime.datetime.fromisoformat(expected)


@pytest.mark.parametrize("words", ["", "soon", "in", "25:00", "20:61", "2026-03-20", "h", "2026-13-01 10:00"])
def test_what_is_no_moment_is_asked_again(words: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_when(words, NOW)
    assert caught.value.key == "session.when_unclear"


@pytest.mark.parametrize("words", ["0 min", "2026-03-14 17:59", "90 days", "2027-01-01 00:00"])
def test_the_past_and_the_far_future_are_refused(words: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_when(words, NOW)
    assert caught.value.key == "session.when_range"


@given(st.text(max_size=40))
def test_any_words_give_a_moment_in_range_or_a_refusal(words: str) -> None:
    try:
        found = parse_when(words, NOW)
    except Refusal:
        return
    assert NOW < found <= NOW + LATEST
