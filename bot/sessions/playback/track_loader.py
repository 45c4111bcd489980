"""Reads takes ahead of their turn, without making anybody wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bot.sessions.playback.play_queue import LoadedTrack, PlayQueue, QueueItem

_SOON_SECONDS = 0.1
"""A file is read within this; a quieter copy takes longer, and is not waited for."""


class TrackLoader:
    """Loads one take at a time into memory, and makes crossfades.

    Args:
        on_loaded: called when a take that was not there at once has been loaded, or cannot be.
    """

    def __init__(self, queue: PlayQueue, on_loaded: Callable[[], None]) -> None:
        self._queue, self._on_loaded = queue, on_loaded
        self._loading: tuple[QueueItem, asyncio.Task[LoadedTrack]] | None = None
        self._blending: asyncio.Task[None] | None = None

    async def loaded(self, item: QueueItem) -> LoadedTrack | None:
        """A take at the volume of now; None while it is being loaded. Raises TrackError if it cannot be."""
        if self._loading is None or self._loading[0] != item:
            self._cancel_loading()
            task = asyncio.create_task(self._queue.load(item), name="load a take")
            task.add_done_callback(lambda _: self._on_loaded())
            self._loading = item, task
            await asyncio.wait([task], timeout=_SOON_SECONDS)
        _, task = self._loading
        if not task.done():
            return None
        self._loading = None
        loaded = task.result()
        if loaded.volume != self._queue.volume:
            self._on_loaded()  # it is loaded once more
            return None
        return loaded

    def blend(self) -> None:
        """Let what follows overlap what plays, where that is wanted, as soon as that is made."""
        if self._blending is not None:
            self._blending.cancel()
        self._blending = asyncio.create_task(self._queue.blend(), name="crossfade")

    def close(self) -> None:
        """Stop."""
        self._cancel_loading()
        if self._blending is not None:
            self._blending.cancel()

    def _cancel_loading(self) -> None:
        if self._loading is not None:
            self._loading[1].cancel()
            self._loading = None
