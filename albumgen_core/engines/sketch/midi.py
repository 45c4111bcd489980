"""Standard MIDI files (format 1), as `midirenderer` and music programs read them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

TICKS = 960
"""Ticks a beat."""

DRUM_CHANNEL = 9
BEND_RANGE = 12
"""Semitones that a full pitch bend spans; every track sets it (registered parameter 0)."""

_ON, _OFF, _CONTROL, _PROGRAM, _BEND = 0x90, 0x80, 0xB0, 0xC0, 0xE0


@dataclass(frozen=True, slots=True)
class Track:
    """One player.

    Attributes:
        name: shown by music programs.
        channel: 0 to 15; 9 is the drums.
        program: General MIDI program from 0, or the number of the kit.
        notes: (start, end, key, velocity); times in beats.
        controls: (beat, controller number, value from 0 to 127).
        bends: (beat, semitones).
    """

    name: str
    channel: int
    program: int
    notes: Sequence[tuple[float, float, int, int]]
    controls: Sequence[tuple[float, int, int]] = ()
    bends: Sequence[tuple[float, float]] = ()


def write_midi(tracks: Sequence[Track], tempo: float, beats_a_bar: int, length: float) -> bytes:
    """The file: a track with tempo and metre, then one a player; `length` in beats ends them all."""
    microseconds = min(0xFFFFFF, round(60e6 / tempo))
    head = [
        (0, 0, b"\xff\x51\x03" + microseconds.to_bytes(3, "big")),
        (0, 0, bytes((0xFF, 0x58, 4, beats_a_bar, 2, 24, 8))),
    ]
    end = round(length * TICKS)
    written = [_track(head, end)] + [_track(_events(track), end) for track in tracks]
    return struct.pack(">4sIHHH", b"MThd", 6, 1, len(written), TICKS) + b"".join(written)


def _events(track: Track) -> list[tuple[int, int, bytes]]:
    # (tick, order within the tick, message)
    channel = track.channel
    name = track.name.encode("utf-8")
    events = [
        (0, 0, b"\xff\x03" + _variable(len(name)) + name),
        (0, 1, bytes((_PROGRAM | channel, track.program))),
        (0, 1, bytes((_CONTROL | channel, 101, 0))),
        (0, 2, bytes((_CONTROL | channel, 100, 0))),
        (0, 3, bytes((_CONTROL | channel, 6, BEND_RANGE))),
    ]
    for beat, number, value in track.controls:
        events.append((_tick(beat), 4, bytes((_CONTROL | channel, number, min(127, max(0, value))))))
    for beat, semitones in track.bends:
        value = min(16383, max(0, round(8192 + 8192 * semitones / BEND_RANGE)))
        events.append((_tick(beat), 4, bytes((_BEND | channel, value & 0x7F, value >> 7))))
    for start, end, key, velocity in _monophonic_by_key(track.notes):
        events.append((_tick(start), 6, bytes((_ON | channel, key, velocity))))
        events.append((max(_tick(start) + 1, _tick(end)), 5, bytes((_OFF | channel, key, 0))))
    return events


def _monophonic_by_key(
    notes: Sequence[tuple[float, float, int, int]],
) -> list[tuple[float, float, int, int]]:
    # A note that begins while its key is still down would be cut by the earlier note's release.
    kept: list[tuple[float, float, int, int]] = []
    sounding: dict[int, int] = {}
    for note in sorted(notes):
        place = sounding.get(note[2])
        if place is not None and kept[place][1] > note[0] - 1 / TICKS:
            start, _, key, velocity = kept[place]
            kept[place] = (start, max(start, note[0] - 1 / TICKS), key, velocity)
        sounding[note[2]] = len(kept)
        kept.append(note)
    return kept


def _tick(beat: float) -> int:
    return max(0, round(beat * TICKS))


def _track(events: list[tuple[int, int, bytes]], end: int) -> bytes:
    body, last = bytearray(), 0
    for tick, _, message in sorted(events):
        body += _variable(tick - last) + message
        last = tick
    body += _variable(max(0, end - last)) + b"\xff\x2f\x00"
    return b"MTrk" + struct.pack(">I", len(body)) + bytes(body)


def _variable(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))
