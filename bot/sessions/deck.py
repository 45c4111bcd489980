"""What plays and what comes behind it: the source's tracks, under names that outlive a race with its thread.

The voice client's thread moves on by itself when a track ends. The event loop finds out afterwards, by
looking at what the source has now (`settle`), never by counting calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.sessions.model import Entry
from bot.sessions.playlist import FRAME_SECONDS, PlaylistSource, Track, TrackError

Reader = Callable[[Path, float, str], Awaitable[Track]]
Joiner = Callable[[Path, Path, float], Awaitable[Sequence[bytes]]]

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Slot:
    """One playing of one take.

    Attributes:
        entry_id, clip: which take of which entry. folder: its result.
        encore: whether it fills a wait, outside the order.
        key: names this playing.
    """

    entry_id: int
    clip: int
    folder: Path
    encore: bool = False
    key: str = field(default_factory=lambda: str(next(_numbers)), compare=False)

    @classmethod
    def of(cls, entry: Entry, clip: int = 0, *, encore: bool = False) -> Slot | None:
        """A playing of an entry's take; None where it is not made."""
        folder = entry.clips[clip].result_dir if clip < len(entry.clips) else None
        return cls(entry.entry_id, clip, folder, encore) if folder is not None else None


class Deck:
    """A playlist source and what its tracks are.

    Args:
        read: reads a clip: (result folder, volume, key); raises TrackError.
        on_move: called in the event loop after the source went on to another track.
        volume: loudness relative to the clips.
        join: makes the packets in which two clips overlap: (first folder, second folder, volume); None for
            takes that follow each other without a gap. Two takes of one cover never overlap: they compete.

    Attributes:
        source: for the voice link. current: what plays. prepared: what follows without a gap.
    """

    def __init__(
        self,
        read: Reader,
        on_move: Callable[[], None],
        volume: float = 1.0,
        join: Joiner | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()

        def on_start(_: str) -> None:  # in the voice client's thread
            if not loop.is_closed():
                loop.call_soon_threadsafe(on_move)

        self.source = PlaylistSource(on_start)
        self.current: Slot | None = None
        self.prepared: Slot | None = None
        self.volume = volume
        self._read, self._join = read, join
        self._slots: dict[str, Slot] = {}

    @property
    def position(self) -> int:
        """Frames of the current track that were heard."""
        return self.source.position if self.current is not None else 0

    async def begin(self, slot: Slot, at: int = 0) -> Track:
        """Play a take from frame `at`, at once. Raises TrackError; then everything is as it was."""
        track = await self._load(slot)
        self.source.follow_with(None)
        self.source.start(track, at)
        self.current, self.prepared = slot, None
        self._slots = {slot.key: slot}
        return track

    async def prepare(self, slot: Slot | None) -> Track | None:
        """What follows. Raises TrackError; then nothing follows."""
        self.prepared = None
        self.source.follow_with(None)
        if slot is None:
            return None
        track = await self._load(slot)
        self._slots[slot.key] = slot
        self.prepared = slot
        self.source.follow_with(track)
        before = self.current
        if self._join is not None and before is not None and before.entry_id != slot.entry_id:
            # It follows already, so that there is no gap, however long this takes.
            with contextlib.suppress(TrackError):  # what plays may be gone from the disk by now
                self.source.join(slot.key, await self._join(before.folder, slot.folder, self.volume))
        return track

    def settle(self) -> list[Slot]:
        """Notice what the source has done: the takes that are over since the last call, in order."""
        if self.current is None:
            return []
        playing = self.source.current
        if playing is not None and playing.key == self.current.key:
            return []
        over = [self.current]
        if playing is not None:
            self.current = self._slots[playing.key]
            if self.current is self.prepared:
                self.prepared = None
        else:
            if self.prepared is not None and self.source.following is None:
                over.append(self.prepared)  # so short that it is over as well
                self.prepared = None
            self.current = None
        self._slots = {slot.key: slot for slot in (self.current, self.prepared) if slot is not None}
        return over

    async def set_volume(self, volume: float) -> None:
        """Change the loudness of what plays, where it is, and of what is prepared from now on.

        Raises TrackError.
        """
        self.volume = volume
        if self.current is not None:
            self.source.swap(await self._load(self.current))

    async def _load(self, slot: Slot) -> Track:
        return await self._read(slot.folder, self.volume, slot.key)


def seconds(frames: int) -> float:
    """Playing time of frames."""
    return frames * FRAME_SECONDS
