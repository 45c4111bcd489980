"""From a written piece to sound, through the General MIDI SoundFont that pretty_midi brings along."""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import symusic
from numpy.typing import NDArray

from albumgen_core.engines.sketch.arrangement import Piece
from albumgen_core.engines.sketch.instruments import SEATS
from albumgen_core.engines.sketch.room import brighten, limit, reverberate
from albumgen_core.engines.sketch.score import Note, Part
from albumgen_core.engines.sketch.soundfont import NAME, soundfont_path, tuned

SAMPLE_RATE = 44_100

_QUALITY = 3
_REFERENCE_RMS = 0.09
_DRUM_GAIN = 1.35


@lru_cache(maxsize=1)
def _soundfont() -> tuple[Path, object]:
    """The tuned SoundFont as a file, written once a process, and what keeps it there.

    The synthesizer takes only a path. Where the system can, the file lives in memory alone, so that a killed
    worker leaves nothing behind.
    """
    data = tuned(soundfont_path().read_bytes())
    if hasattr(os, "memfd_create"):
        memory = os.fdopen(os.memfd_create(NAME), "wb")
        memory.write(data)
        memory.flush()
        return Path(f"/proc/self/fd/{memory.fileno()}"), memory
    folder = tempfile.TemporaryDirectory(prefix="albumgen-")
    path = Path(folder.name) / NAME
    path.write_bytes(data)
    return path, folder


def _synthesizer() -> Any:
    # A new one each time (2 ms): symusic's remembers resampled notes across instruments, so that an
    # instrument sounds otherwise after another was played, and the same seed would give other bytes.
    path, _ = _soundfont()
    return symusic.Synthesizer(str(path), SAMPLE_RATE, _QUALITY)


def play(
    program: int, is_drum: bool, notes: list[tuple[float, float, int, int]], seconds: float
) -> NDArray[np.float32]:
    """Play notes (start, length in seconds, pitch, velocity) with one instrument: float32 (2, samples)."""
    score = symusic.Score(480, ttype="second")
    track = symusic.Track("part", program, is_drum, ttype="second")
    for start, length, pitch, level in notes:
        track.notes.append(symusic.Note(start, length, pitch, level, ttype="second"))
    # The synthesizer stops with the last note: an unheard one far below hearing keeps the strings ringing.
    track.notes.append(symusic.Note(seconds, 0.05, 0, 1, ttype="second"))
    track.notes.sort(inplace=True)
    score.tracks.append(track)
    sound = np.ascontiguousarray(_synthesizer().render(score, True), dtype=np.float32)
    samples = round(seconds * SAMPLE_RATE)
    if sound.shape[1] < samples:
        sound = np.pad(sound, ((0, 0), (0, samples - sound.shape[1])))
    return sound[:, :samples]


@lru_cache(maxsize=256)
def _trim(program: int, low: bool) -> float:
    # The SoundFont's instruments differ by more than 20 dB: each is weighed once, playing the same chord.
    pitches = (36, 43) if low else (60, 64, 67)
    sound = play(program, False, [(0.25 * i, 0.24, p, 96) for i in range(4) for p in pitches], 1.0)
    rms = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) / np.sqrt(len(pitches))
    return float(np.clip(_REFERENCE_RMS / max(rms, 1e-4), 0.25, 6.0))


def render(piece: Piece) -> NDArray[np.float32]:
    """Perform a piece: float32 (2, seconds * 44100), in [-0.97, 0.97], silent at its very end."""
    samples = max(1, round(piece.seconds * SAMPLE_RATE))
    dry = np.zeros((2, samples), np.float32)
    room = np.zeros((2, samples), np.float32)
    for part in piece.parts:
        seat = SEATS[part.role]
        is_drum = part.role == "drums"
        sound = play(part.program, is_drum, _timed(piece, part), piece.seconds)
        gain = _DRUM_GAIN if is_drum else _trim(part.program, part.role == "bass")
        sound *= np.float32(gain * 10 ** (seat.level / 20))
        if seat.pan:
            angle = (seat.pan + 1) * np.pi / 4
            sound *= (np.array([[np.cos(angle)], [np.sin(angle)]]) * np.sqrt(2)).astype(np.float32)
        dry += sound
        room += sound * np.float32(seat.distance)
    attributes = piece.brief.attributes
    decay = 0.7 + 1.6 * attributes.liveness + 0.8 * (1 - attributes.energy)
    wet = reverberate(room, decay, SAMPLE_RATE)
    mixed = dry + wet * np.float32(0.1 + 0.35 * attributes.liveness)
    # The SoundFont's samples are rather dark. Driven music shines, acoustic and calm music is mellow.
    shine = -4.0 + 14.0 * piece.brief.drive - 4.0 * (attributes.acousticness - 0.3)
    # Loudness 0.5 to 1 spans 12 dB; beyond that the limiter is driven, as loud records are.
    drive = 10 ** ((-6.0 + 14.0 * max(0.0, attributes.loudness - 0.5) / 0.5 * 0.6) / 20)
    return _faded(piece, limit(brighten(mixed, shine, SAMPLE_RATE) * np.float32(drive)))


def _timed(piece: Piece, part: Part) -> list[tuple[float, float, int, int]]:
    notes = []
    for note in part.notes:
        start, end = _when(piece, part, note)
        if start < piece.seconds:
            notes.append((start, max(0.03, end - start), note.pitch, note.velocity))
    return notes


def _when(piece: Piece, part: Part, note: Note) -> tuple[float, float]:
    start, end = piece.seconds_at(note.start), piece.seconds_at(note.start + note.length)
    # A live band is not a grid: up to 9 ms either way, less in danceable music, none for the drums.
    slack = 0.004 + 0.005 * piece.brief.attributes.liveness - 0.004 * piece.brief.attributes.danceability
    if part.role == "drums" or note.start == 0:
        slack = 0.0
    wobble = piece.brief.dice("touch", part.role, round(note.start * 48), note.pitch).uniform(-slack, slack)
    return start + wobble, end + wobble


def _faded(piece: Piece, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    # The last chord rings for half its time, then dies away along a cosine to nothing.
    final = piece.seconds_at(piece.ending.final)
    length = min(sound.shape[1], max(1, round((piece.seconds - final) * 0.6 * SAMPLE_RATE)))
    curve = 0.5 + 0.5 * np.cos(np.linspace(0.0, np.pi, length))
    sound[:, -length:] *= curve.astype(np.float32)
    return sound
