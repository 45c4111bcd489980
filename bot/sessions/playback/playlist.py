"""What the voice client reads: clips as Opus packets that were made beforehand, one behind the other.

Nothing is decoded, encoded or mixed while it plays: a frame is a slice of memory. The source is read from
the voice client's thread, and steered from the event loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import discord
from discord.oggparse import OggError, OggStream

from albumgen_core.errors import AlbumGenError

FRAME_SECONDS = 0.02
"""Length of one packet."""

_HEADERS = 2  # OpusHead and OpusTags (RFC 7845, section 3)


class TrackError(AlbumGenError):
    """A clip's file cannot be played; the message is one plain sentence."""


@dataclass(frozen=True, slots=True)
class Track:
    """A clip in memory.

    Attributes:
        key: whatever names it for its owner (a job id).
        packets: Opus packets of 20 ms each.
    """

    key: str
    packets: tuple[bytes, ...]

    @property
    def seconds(self) -> float:
        """Playing time."""
        return len(self.packets) * FRAME_SECONDS


def read_track(path: Path, key: str = "") -> Track:
    """Read an Ogg-Opus file of 20 ms packets (blocking). Raises TrackError for any other file."""
    try:
        with path.open("rb") as file:
            packets = tuple(OggStream(file).iter_packets())
    except OSError as error:
        raise TrackError(f"The clip {path.name} cannot be read: {error.strerror}.") from error
    except OggError as error:
        raise TrackError(f"The clip {path.name} is no Ogg file.") from error
    if len(packets) <= _HEADERS or not packets[0].startswith(b"OpusHead"):
        raise TrackError(f"The clip {path.name} holds no Opus sound.")
    sound = packets[_HEADERS:]
    if any(packet_milliseconds(packet) != 20 for packet in sound):
        raise TrackError(f"The clip {path.name} is not made of packets of 20 ms.")
    return Track(key, sound)


def packet_milliseconds(packet: bytes) -> float:
    """Playing time of an Opus packet, from its first byte (RFC 6716, section 3.1); 0 for an invalid one."""
    if not packet:
        return 0.0
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:  # SILK
        frame = (10.0, 20.0, 40.0, 60.0)[config % 4]
    elif config < 16:  # hybrid
        frame = (10.0, 20.0)[config % 2]
    else:  # CELT
        frame = (2.5, 5.0, 10.0, 20.0)[config % 4]
    if code == 3:
        return frame * (packet[1] & 0x3F) if len(packet) > 1 else 0.0
    return frame * (1 if code == 0 else 2)


@dataclass(frozen=True, slots=True)
class _Next:
    """What follows: the track, and, where the two are to overlap, how it begins then, and for how long."""

    track: Track
    blended: Track
    overlap: int = 0


class PlaylistSource(discord.AudioSource):
    """Plays a track, then without a gap the one that was put behind it, and so on; ends when there is none.

    `on_start(key)` is called from the voice thread when a track's first frame is read; hand it on to the
    event loop with `call_soon_threadsafe`. One source serves a whole session: after it has ended, give it
    another track and play it again.
    """

    def __init__(self, on_start: Callable[[str], None] | None = None) -> None:
        self._lock = threading.Lock()
        self._on_start = on_start
        self._current: Track | None = None
        self._unblended: Track | None = None  # what plays, as it begins when nothing overlaps
        self._next: _Next | None = None
        self._position = 0
        self._announced = False

    def is_opus(self) -> bool:
        """Packets go out as they are."""
        return True

    @property
    def current(self) -> Track | None:
        """What plays; None when everything has been played."""
        return self._unblended

    @property
    def following(self) -> Track | None:
        """What comes next without a gap."""
        return self._next.track if self._next is not None else None

    @property
    def position(self) -> int:
        """Frames of the current track that were read."""
        return self._position

    def start(self, track: Track, at: int = 0) -> None:
        """Play `track` from frame `at` on, at once; what follows stays."""
        with self._lock:
            self._play(track, track)
            self._position = min(max(at, 0), len(track.packets))

    def follow_with(self, track: Track | None, joint: Sequence[bytes] = ()) -> None:
        """What comes behind the current track; it replaces what was to come.

        Args:
            track: None for nothing.
            joint: for a crossfade, packets in which the end of the current track and the beginning of `track`
                overlap (`bot.sessions.playback.volume`): they replace as many packets of both. Only where the
                one plays to its end and the other follows; whoever skips or rewinds hears `track` as it is.
        """
        with self._lock:
            self._next = _Next(track, track) if track is not None else None
        if track is not None:
            self.join(track.key, joint)

    def join(self, key: str, joint: Sequence[bytes]) -> None:
        """Let the track that follows overlap after all, if it is still the one named `key`."""
        with self._lock:
            coming = self._next
            if joint and coming is not None and coming.track.key == key:
                blended = Track(key, (*joint, *coming.track.packets[len(joint) :]))
                self._next = _Next(coming.track, blended, len(joint))

    def swap(self, track: Track) -> None:
        """Go on in another rendering of what plays, at the same place; nothing is announced.

        Ignored where something else plays by now, or the lengths differ.
        """
        with self._lock:
            current = self._unblended
            if (
                current is not None
                and current.key == track.key
                and len(current.packets) == len(track.packets)
            ):
                self._current = self._unblended = track

    def skip(self) -> None:
        """Go on with what follows, or end."""
        with self._lock:
            self._advance(blended=False)

    def rewind(self, frames: int | None = None) -> None:
        """Go back in the current track: to its beginning, or by `frames`."""
        with self._lock:
            if frames is None:
                self._current, self._position = self._unblended, 0
            else:
                self._position = max(0, self._position - frames)

    def read(self) -> bytes:
        """The next packet; b"" at the end. Called every 20 ms by the voice client."""
        started = None
        with self._lock:
            while self._current is not None and self._position >= (end := self._end()):
                self._advance(blended=end < len(self._current.packets))
            if self._current is None:
                return b""
            if not self._announced:
                self._announced, started = True, self._current.key
            packet = self._current.packets[self._position]
            self._position += 1
        if started is not None and self._on_start is not None:
            self._on_start(started)
        return packet

    def _end(self) -> int:
        """Frames of the current track that are played: less where the next one overlaps it."""
        assert self._current is not None
        length = len(self._current.packets)
        # A joint that came too late for its beginning is not used.
        overlap = self._next.overlap if self._next is not None else 0
        return length - overlap if self._position <= length - overlap else length

    def _advance(self, *, blended: bool) -> None:
        coming, self._next = self._next, None
        if coming is None:
            self._current = self._unblended = None
            self._position, self._announced = 0, False
        else:
            self._play(coming.blended if blended else coming.track, coming.track)

    def _play(self, track: Track, unblended: Track) -> None:
        self._current, self._unblended = track, unblended
        self._position, self._announced = 0, False
