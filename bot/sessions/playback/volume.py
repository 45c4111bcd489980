"""How loud a session plays, and how one clip passes into the next: both made beforehand, as packets.

A voice client that turned the volume down would have to decode and encode every frame while it plays. Here a
quieter copy of a clip is made ahead of its turn, in a process of its own, and kept in the result's folder (it
goes when the folder goes). It agrees with the original packet by packet, so that playback can go over to it
between any two frames; Opus predicts a frame's energy from the one before, which turns the step into a slope
of some frames.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from pathlib import Path

from albumgen_core.errors import TaskError
from albumgen_core.files import remove_paths
from albumgen_core.result import CLIP_OGG
from albumgen_core.tasks.child import run_task
from bot.sessions.playback.playlist import FRAME_SECONDS, Track, read_track

log = logging.getLogger(__name__)

FULL = 1.0
STEP = 0.05
"""Volumes come in steps of this size, which bounds the copies of a clip."""

_MODULE = "albumgen_core.audio.opus_task"
_TIMEOUT_SECONDS = 60.0
_AT_ONCE = 2
_LEAST_JOINT = 5  # packets; less is no crossfade


class TrackReader:
    """Reads clips at a volume. One per bot; safe to use from many sessions at once."""

    def __init__(self) -> None:
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def track_for(self, result_dir: Path, volume: float = FULL, key: str = "") -> Track:
        """A clip's packets at a volume; the first time below FULL this takes about a second.

        Args:
            result_dir: the result's folder.
            volume: share of its loudness, 0.05 to 1.0; rounded to STEP.
            key: for `Track.key`.

        Where no quieter copy can be made the clip comes as it is, with a line in the log. Raises TrackError
        where it cannot be read at all.
        """
        clip, wanted = result_dir / CLIP_OGG, stepped(volume)
        if wanted >= FULL:
            return await asyncio.to_thread(read_track, clip, key)
        copy = result_dir / f"clip-{round(100 * wanted):03d}.ogg"
        try:
            async with self._at_once:
                if not await asyncio.to_thread(copy.exists):
                    await self._make({"clip": clip, "share": wanted, "out": copy})
            return await asyncio.to_thread(read_track, copy, key)
        except TaskError as error:
            log.warning("no quieter copy of %s: %s", clip, error)
            return await asyncio.to_thread(read_track, clip, key)

    async def joint(
        self, first: Path, second: Path, seconds: float, volume: float = FULL
    ) -> tuple[bytes, ...]:
        """Packets in which the end of one clip and the beginning of another overlap.

        Args:
            first, second: their result folders.
            seconds: length of the overlap; at most a third of the shorter clip.
            volume: as for `track_for`.

        Give them to `PlaylistSource.follow_with`. () where the clips are too short, or it cannot be made:
        they then follow each other without a gap. Raises TrackError where a clip cannot be read.
        """
        clips = [first / CLIP_OGG, second / CLIP_OGG]
        lengths = [len((await asyncio.to_thread(read_track, clip)).packets) for clip in clips]
        packets = min(round(seconds / FRAME_SECONDS), min(lengths) // 3)
        if packets < _LEAST_JOINT:
            return ()
        folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="albumgen-joint-")
        out = Path(folder) / "joint.ogg"
        payload = {"clip": clips[0], "next": clips[1], "packets": packets, "out": out}
        try:
            async with self._at_once:
                await self._make(payload | {"share": stepped(volume)})
            made = await asyncio.to_thread(read_track, out)
        except TaskError as error:
            log.warning("no crossfade from %s to %s: %s", *clips, error)
            return ()
        finally:
            await asyncio.to_thread(remove_paths, [folder])
        # What lies before and behind the overlap is there for the encoder only.
        return made.packets[packets : 2 * packets]

    async def _make(self, payload: dict[str, object]) -> None:
        await run_task(_MODULE, payload, _TIMEOUT_SECONDS)


def stepped(volume: float) -> float:
    """The nearest volume there are copies for, STEP to FULL."""
    return min(FULL, max(STEP, round(volume / STEP) * STEP))
