"""Time as the server sees it: the wall clock, plus what a test chose to skip."""

from __future__ import annotations

import datetime
import time

DISCORD_EPOCH_MS = 1_420_070_400_000


class Clock:
    """Wall time with an offset; ``advance`` makes tokens and signed links age without waiting."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._last_id = 0

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Lets ``seconds`` pass at once."""
        if seconds < 0:
            raise ValueError("time only goes forward")
        self._offset += seconds

    def snowflake(self) -> int:
        """A fresh id that encodes the present moment, always larger than the one before."""
        stamp = (int(self.now() * 1000) - DISCORD_EPOCH_MS) << 22
        self._last_id = max(stamp, self._last_id + 1)
        return self._last_id


def iso(seconds: float) -> str:
    """Discord's timestamp format, with microseconds and offset."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="microseconds")


def snowflake_seconds(snowflake: int) -> float:
    """The moment a snowflake encodes, in seconds since the Unix epoch."""
    return ((snowflake >> 22) + DISCORD_EPOCH_MS) / 1000
