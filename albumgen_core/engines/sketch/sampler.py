"""MIDI to sound by `midirenderer` (MIT; the Rust synthesizer rustysynth as a wheel): used here alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import midirenderer
import numpy as np
from numpy.typing import NDArray

from albumgen_core.engines.sketch.midi import DRUM_CHANNEL, Track, write_midi
from albumgen_core.engines.sketch.soundfont import load_bank

SAMPLE_RATE = 48_000
"""What the player renders at."""

_HEADER = 44
_REVERB, _CHORUS, _PAN, _VOLUME, _EXPRESSION = 91, 93, 10, 7, 11
_REFERENCE_RMS = 0.05

_Sound = NDArray[np.float32]


_Wanted = tuple[tuple[tuple[int, bool], tuple[int, ...]], ...]


@lru_cache(maxsize=8)
def _cut(path: Path, wanted: _Wanted) -> bytes:
    return load_bank(path).cut(dict(wanted))


def _wanted(tracks: Sequence[Track]) -> _Wanted:
    # (program, is it a drum kit) and the keys it plays
    keys: dict[tuple[int, bool], set[int]] = {}
    for track in tracks:
        played = keys.setdefault((track.program, track.channel == DRUM_CHANNEL), set())
        played.update(key for _, _, key, _ in track.notes)
    return tuple((instrument, tuple(sorted(played))) for instrument, played in sorted(keys.items()))


def play(soundfont: Path, tracks: Sequence[Track], tempo: float, seconds: float) -> list[_Sound]:
    """Each track by itself: float32 (2, samples) for drums, (1, samples) for every other one.

    The player's fixed cost is large beside its cost by note, so that two melodic tracks share a rendering:
    one on each side of the stereo picture.
    """
    samples = round(seconds * SAMPLE_RATE)
    found: dict[int, _Sound] = {}
    melodic = [place for place, track in enumerate(tracks) if track.channel != DRUM_CHANNEL]
    for place, track in enumerate(tracks):
        if track.channel == DRUM_CHANNEL:
            found[place] = _rendered(soundfont, [_placed(track, 0, 64)], tempo, samples)
    for first in range(0, len(melodic), 2):
        pair = melodic[first : first + 2]
        placed = [_placed(tracks[place], side, 127 * side) for side, place in enumerate(pair)]
        sound = _rendered(soundfont, placed, tempo, samples)
        for side, place in enumerate(pair):
            found[place] = sound[side : side + 1]
    return [found[place] for place in range(len(tracks))]


def _placed(track: Track, channel: int, pan: int) -> Track:
    fixed = ((0.0, _REVERB, 0), (0.0, _CHORUS, 0), (0.0, _PAN, pan), (0.0, _VOLUME, 127))
    loudest = (
        () if any(number == _EXPRESSION for _, number, _ in track.controls) else ((0.0, _EXPRESSION, 127),)
    )
    own = [control for control in track.controls if control[1] not in (_REVERB, _CHORUS, _PAN, _VOLUME)]
    channel = DRUM_CHANNEL if track.channel == DRUM_CHANNEL else channel
    return Track(track.name, channel, track.program, track.notes, (*fixed, *loudest, *own), track.bends)


def _rendered(soundfont: Path, tracks: list[Track], tempo: float, samples: int) -> _Sound:
    length = samples / SAMPLE_RATE * tempo / 60.0
    wave = midirenderer.render_wave_from(
        _cut(soundfont, _wanted(tracks)), write_midi(tracks, tempo, 4, length)
    )
    values = np.frombuffer(wave, "<i2", offset=_HEADER)
    sound = (values.reshape(-1, 2).T.astype(np.float32)) / np.float32(32768.0)
    if sound.shape[1] < samples:
        sound = np.pad(sound, ((0, 0), (0, samples - sound.shape[1])))
    return np.ascontiguousarray(sound[:, :samples])


@lru_cache(maxsize=256)
def trim(soundfont: Path, program: int, low: bool) -> float:
    """Gain that brings an instrument to a common level: instruments of a SoundFont differ by 20 dB and more.

    Measured once a process on three notes of velocity 90, in the bass register where `low`.
    """
    keys = (31, 36, 43) if low else (60, 65, 69)
    notes = [(0.5 * i, 0.5 * i + 0.48, key, 90) for i, key in enumerate(keys)]
    sound = play(soundfont, [Track("trim", 0, program, notes)], 60.0, 1.5)[0]
    rms = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    return float(np.clip(_REFERENCE_RMS / max(rms, 1e-4), 0.2, 12.0))
