"""When playback pauses because nobody listens, and when a session ends by itself."""

from __future__ import annotations

import time
from collections.abc import Collection

from bot.sessions.state.model import EndReason
from bot.settings import SessionSettings

LAST_VOTES_SECONDS = 60.0
"""How long votes can be cast when everyone has brought their rounds and all was played."""


class SessionTimeouts:
    """Knows since when nobody listens, and since when there is nothing to play.

    Attributes:
        holds: whether playback waits because nobody listens.
        ends_at: Unix seconds of the end that is coming; None while none is.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._empty_since: float | None = None
        self._idle_since: float | None = None
        self._patience = settings.idle_end_seconds
        self.holds = False

    def update(self, audience: Collection[int], *, idle: bool, last: bool) -> None:
        """Take over the present state.

        Args:
            audience: who is in the channel. idle: whether nothing plays and nothing is to come.
            last: whether nobody who is here may bring more.
        """
        now = time.time()
        self._empty_since = None if audience else self._empty_since or now
        self._idle_since = (self._idle_since or now) if idle else None
        wait = self._settings.idle_end_seconds
        self._patience = min(wait, LAST_VOTES_SECONDS) if last else wait
        since = self._empty_since
        self.holds = since is not None and now - since >= self._settings.empty_pause_seconds

    @property
    def ends_at(self) -> float | None:
        """When the session ends if nothing changes, Unix seconds."""
        return min((at for at, _ in self._ends()), default=None)

    def over(self) -> EndReason | None:
        """Why the session ends now, if it does."""
        due = [(at, reason) for at, reason in self._ends() if at <= time.time()]
        return min(due)[1] if due else None

    def _ends(self) -> list[tuple[float, EndReason]]:
        ends = []
        if self._empty_since is not None:
            ends.append((self._empty_since + self._settings.empty_end_seconds, EndReason.EMPTY))
        if self._idle_since is not None:
            ends.append((self._idle_since + self._patience, EndReason.FINISHED))
        return ends
