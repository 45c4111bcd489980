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

from bot.sessions.playback.playlist import PlaylistSource, Track, TrackError
from bot.sessions.state.model import Entry

Reader = Callable[[Path, float, str], Awaitable[Track]]
Joiner = Callable[[Path, Path, float], Awaitable[Sequence[bytes]]]

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class QueueItem:
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
    def of(cls, entry: Entry, clip: int = 0, *, encore: bool = False) -> QueueItem | None:
        """A playing of an entry's take; None where it is not made."""
        folder = entry.clips[clip].result_dir if clip < len(entry.clips) else None
        return cls(entry.entry_id, clip, folder, encore) if folder is not None else None


@dataclass(frozen=True, slots=True)
class LoadedTrack:
    """A take in memory, and the volume that it has."""

    item: QueueItem
    track: Track
    volume: float


class PlayQueue:
    """A playlist source and what its tracks are.

    Args:
        read: reads a clip: (result folder, volume, key); raises TrackError.
        on_move: called in the event loop after the source went on to another track.
        volume: loudness relative to the clips.
        join: makes the packets in which two clips overlap: (first folder, second folder, volume); None for
            takes that follow each other without a gap. Two takes of one cover never overlap: they compete.

    Attributes:
        source: for the voice link. current: what plays. prepared: what follows without a gap.
        volume: at which takes are loaded from now on.
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
        self.current: QueueItem | None = None
        self.prepared: QueueItem | None = None
        self.volume = volume
        self._read, self._join = read, join
        self._items: dict[str, QueueItem] = {}

    @property
    def position(self) -> int:
        """Frames of the current track that were heard."""
        return self.source.position if self.current is not None else 0

    async def load(self, item: QueueItem) -> LoadedTrack:
        """Read a take, at the volume of now (which may take a second). Raises TrackError."""
        volume = self.volume
        return LoadedTrack(item, await self._read(item.folder, volume, item.key), volume)

    def begin(self, loaded: LoadedTrack, at: int = 0) -> None:
        """Play a take from frame `at`, at once."""
        self.source.follow_with(None)
        self.source.start(loaded.track, at)
        self.current, self.prepared = loaded.item, None
        self._items = {loaded.item.key: loaded.item}

    def follow(self, loaded: LoadedTrack | None) -> None:
        """What plays after the current take."""
        self.prepared = loaded.item if loaded is not None else None
        if loaded is not None:
            self._items[loaded.item.key] = loaded.item
        self.source.follow_with(loaded.track if loaded is not None else None)

    async def blend(self) -> None:
        """Let what follows overlap what plays, where that is wanted. It follows already, so that there is no
        gap, however long this takes."""
        before, after = self.current, self.prepared
        if self._join is None or before is None or after is None or before.entry_id == after.entry_id:
            return
        with contextlib.suppress(TrackError):  # what plays may be gone from the disk by now
            self.source.join(after.key, await self._join(before.folder, after.folder, self.volume))

    def settle(self) -> list[QueueItem]:
        """Notice what the source has done: the takes that are over since the last call, in order."""
        if self.current is None:
            return []
        playing = self.source.current
        if playing is not None and playing.key == self.current.key:
            return []
        over = [self.current]
        if playing is not None:
            self.current = self._items[playing.key]
            if self.current is self.prepared:
                self.prepared = None
        else:
            if self.prepared is not None and self.source.following is None:
                over.append(self.prepared)  # so short that it is over as well
                self.prepared = None
            self.current = None
        self._items = {item.key: item for item in (self.current, self.prepared) if item is not None}
        return over

    async def apply_volume(self) -> None:
        """Play what plays at the volume of now, where it is. Raises TrackError."""
        if self.current is not None:
            self.source.swap((await self.load(self.current)).track)
