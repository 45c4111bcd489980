"""What the voice client reads: clips as Opus packets that were made beforehand, one behind the other.

Nothing is decoded, encoded or mixed while it plays: a frame is a slice of memory. The source is read from
the voice client's thread, and steered from the event loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
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


class PlaylistSource(discord.AudioSource):
    """Plays a track, then without a gap the one that was put behind it, and so on; ends when there is none.

    `on_start(key)` is called from the voice thread when a track's first frame is read; hand it on to the
    event loop with `call_soon_threadsafe`. One source serves a whole evening: after it has ended, give it
    another track and play it again.
    """

    def __init__(self, on_start: Callable[[str], None] | None = None) -> None:
        self._lock = threading.Lock()
        self._on_start = on_start
        self._current: Track | None = None
        self._following: Track | None = None
        self._position = 0
        self._announced = False

    def is_opus(self) -> bool:
        """Packets go out as they are."""
        return True

    @property
    def current(self) -> Track | None:
        """What plays; None when everything has been played."""
        return self._current

    @property
    def following(self) -> Track | None:
        """What comes next without a gap."""
        return self._following

    @property
    def position(self) -> int:
        """Frames of the current track that were read."""
        return self._position

    def start(self, track: Track, at: int = 0) -> None:
        """Play `track` from frame `at` on, at once; what follows stays."""
        with self._lock:
            self._current, self._announced = track, False
            self._position = min(max(at, 0), len(track.packets))

    def follow_with(self, track: Track | None) -> None:
        """What comes behind the current track; it replaces what was to come."""
        with self._lock:
            self._following = track

    def skip(self) -> None:
        """Go on with what follows, or end."""
        with self._lock:
            self._advance()

    def rewind(self, frames: int | None = None) -> None:
        """Go back in the current track: to its beginning, or by `frames`."""
        with self._lock:
            self._position = 0 if frames is None else max(0, self._position - frames)

    def read(self) -> bytes:
        """The next packet; b"" at the end. Called every 20 ms by the voice client."""
        started = None
        with self._lock:
            while self._current is not None and self._position >= len(self._current.packets):
                self._advance()
            if self._current is None:
                return b""
            if not self._announced:
                self._announced, started = True, self._current.key
            packet = self._current.packets[self._position]
            self._position += 1
        if started is not None and self._on_start is not None:
            self._on_start(started)
        return packet

    def _advance(self) -> None:
        self._current, self._following = self._following, None
        self._position, self._announced = 0, False
