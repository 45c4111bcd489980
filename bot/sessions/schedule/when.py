"""When a session is to begin, as members write it."""

from __future__ import annotations

import datetime
import re

from bot.messages.errors import Refusal

_STAMP = re.compile(r"<t:(\d{9,11})(?::[tTdDfFR])?>|(\d{10,11})")
_SPAN = re.compile(
    r"(?:in\s+)?(?:(?P<days>\d{1,2})\s*(?:d|days?|tage?n?))?\s*"
    r"(?:(?P<hours>\d{1,3})\s*(?:h|hours?|std|stunden?))?\s*"
    r"(?:(?P<minutes>\d{1,4})\s*(?:m|min|minutes?|minuten?))?",
    re.IGNORECASE,
)
SOONEST, LATEST = datetime.timedelta(minutes=1), datetime.timedelta(days=60)


def parse_when(words: str, now: datetime.datetime) -> datetime.datetime:
    """The moment that `words` name.

    Understood: a span ("in 2 h 30 min", "90m", "3 days"), a date and time in UTC ("2026-12-24 20:30"), with
    an offset if wanted ("2026-12-24 20:30+01:00"), a time of the day in UTC ("20:30", today or tomorrow),
    and Discord's own stamps ("<t:1790000000:F>").

    Args:
        now: aware, the reference. Raises Refusal for other words, the past, and beyond 60 days.
    """
    found = _read(" ".join(words.split()), now)
    if found is None:
        raise Refusal("session.when_unclear")
    if found < now + SOONEST or found > now + LATEST:
        raise Refusal("session.when_range", days=LATEST.days)
    return found


def _read(words: str, now: datetime.datetime) -> datetime.datetime | None:
    if stamp := _STAMP.fullmatch(words):
        return datetime.datetime.fromtimestamp(int(stamp[1] or stamp[2]), datetime.UTC)
    span = _SPAN.fullmatch(words)
    if span is not None and any(span.groupdict().values()):
        return now + datetime.timedelta(**{name: int(value or 0) for name, value in span.groupdict().items()})
    if re.fullmatch(r"\d{1,2}:\d{2}", words):
        hour, minute = map(int, words.split(":"))
        if hour > 23 or minute > 59:
            return None
        today = now.astimezone(datetime.UTC).replace(hour=hour, minute=minute, second=0, microsecond=0)
        return today if today > now else today + datetime.timedelta(days=1)
    try:
        read = datetime.datetime.fromisoformat(words)
    except ValueError:
        return None
    if len(words) <= len("2026-12-24"):
        return None  # a day is not a moment
    return read if read.tzinfo is not None else read.replace(tzinfo=datetime.UTC)
