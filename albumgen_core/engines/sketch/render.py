"""From a written piece to sound: performed, played stem by stem, mixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from albumgen_core.engines.sketch import mix
from albumgen_core.engines.sketch.arrangement import Piece
from albumgen_core.engines.sketch.closing import plan_ending
from albumgen_core.engines.sketch.form import Bar
from albumgen_core.engines.sketch.grooves import KICK
from albumgen_core.engines.sketch.humanise import delay, force
from albumgen_core.engines.sketch.instruments import SEATS
from albumgen_core.engines.sketch.midi import DRUM_CHANNEL, Track, write_midi
from albumgen_core.engines.sketch.room import reverberate
from albumgen_core.engines.sketch.sampler import SAMPLE_RATE, play, trim
from albumgen_core.engines.sketch.score import Part, Role

__all__ = ["SAMPLE_RATE", "grouped", "perform", "render", "score_as_midi", "stems_of"]

_Sound = NDArray[np.float32]

_EXPRESSION = 11
_DETUNE = 0.06
"""Semitones between each of two detuned takes and the true pitch."""

_DRUM_GAIN = 1.15
_GROUPS: dict[Role, str] = {"pad": "chords", "arpeggio": "chords", "voice": "lead"}
_SIDE_CHAINED: tuple[Role, ...] = ("pad", "chords", "bass", "arpeggio")
_CHANNELS: dict[Role, int] = {
    "lead": 0, "chords": 1, "bass": 2, "pad": 3, "arpeggio": 4, "voice": 5, "drums": DRUM_CHANNEL,
}  # fmt: skip


def perform(piece: Piece) -> list[Track]:
    """The parts as they are played: swing, drift and touch written out, times in beats of the clock."""
    return [_performed(piece, part) for part in piece.parts]


def score_as_midi(piece: Piece) -> bytes:
    """The performance as a standard MIDI file."""
    length = piece.seconds / piece.brief.beat_seconds
    return write_midi(perform(piece), piece.brief.tempo, piece.brief.metre.beats, length)


def _performed(piece: Piece, part: Part) -> Track:
    brief, end = piece.brief, piece.seconds / piece.brief.beat_seconds
    notes = []
    for note in part.notes:
        late = delay(brief, part.role, note) / brief.beat_seconds
        start = max(0.0, piece.straightened(note.start) + late)
        stop = piece.straightened(note.start + note.length) + late
        if start < end:
            shortest = 0.03 / brief.beat_seconds
            notes.append((start, max(start + shortest, stop), note.pitch, force(brief, part.role, note)))
    # Controllers and bends follow the clock without a player's drift.
    swells = [
        (piece.straightened(swell.start), _EXPRESSION, round(127 * swell.level)) for swell in part.swells
    ]
    bends = [(piece.straightened(bend.start), bend.semitones) for bend in part.bends]
    return Track(part.role, _CHANNELS[part.role], part.program, notes, swells, bends)


def render(piece: Piece, soundfont: Path) -> _Sound:
    """Perform and mix a piece: float32 (2, seconds * 48000) in [-1, 1], silent at its very end."""
    dry = np.zeros((2, max(1, round(piece.seconds * SAMPLE_RATE))), np.float32)
    room = np.zeros_like(dry)
    for role, sound in stems_of(piece, soundfont).items():
        dry += sound
        room += sound * np.float32(SEATS[role].distance)
    a, texture = piece.brief.attributes, piece.brief.texture
    decay = 0.7 + 1.6 * a.liveness + 0.8 * (1 - a.energy) - 0.4 * (texture.warmth - 0.5)
    wet = reverberate(room, decay, SAMPLE_RATE) * np.float32(0.12 + 0.35 * a.liveness)
    return _faded(piece, mix.finish(dry, wet, _bus(piece), SAMPLE_RATE))


def stems_of(piece: Piece, soundfont: Path) -> dict[Role, _Sound]:
    """Each role's sound as it enters the mix: levelled, filtered, placed, side-chained; float32 (2, n)."""
    tracks = perform(piece)
    doubled = [track for track in tracks if track.name in piece.brief.style.mix.doubled]
    takes = [
        *(_detuned(t, -_DETUNE) if t in doubled else t for t in tracks),
        *(_detuned(t, _DETUNE) for t in doubled),
    ]
    sounds = play(soundfont, takes, piece.brief.tempo, piece.seconds)
    second = dict(zip((track.name for track in doubled), sounds[len(tracks) :], strict=True))
    samples = sounds[0].shape[1] if sounds else 1
    duck = piece.brief.style.mix.duck
    kicks = [
        start * piece.brief.beat_seconds for t in tracks for start, _, key, _ in t.notes if _is_kick(t, key)
    ]
    pumped = mix.ducking(kicks, duck, samples, SAMPLE_RATE) if duck and kicks else None
    ride = _ride(piece, samples)
    found: dict[Role, _Sound] = {}
    for part, track, sound in zip(piece.parts, tracks, sounds, strict=False):
        seat = SEATS[part.role]
        level = seat.level + piece.brief.style.mix.levels.get(part.role, 0.0) + _emphasis(piece, part.role)
        own = _DRUM_GAIN if part.role == "drums" else trim(soundfont, part.program, part.role == "bass")
        gain = own * 10 ** (level / 20)
        if track.name in second:
            width = 0.75
            placed = mix.panned(sound, -width) + mix.panned(second[track.name], width)
            gain *= 0.75
        else:
            placed = mix.panned(sound, seat.pan)
        placed = mix.high_passed(placed * np.float32(gain), seat.high_pass, SAMPLE_RATE)
        if pumped is not None and part.role in _SIDE_CHAINED:
            placed *= pumped
        found[part.role] = placed * ride
    return found


def grouped(stems: Mapping[Role, _Sound]) -> dict[str, _Sound]:
    """Stems by group, as a musician asks for them: drums, bass, chords and lead."""
    groups: dict[str, _Sound] = {}
    for role, sound in stems.items():
        name = _GROUPS.get(role, role)
        groups[name] = groups[name] + sound if name in groups else sound
    return groups


def _is_kick(track: Track, key: int) -> bool:
    return track.channel == DRUM_CHANNEL and key == KICK


def _detuned(track: Track, semitones: float) -> Track:
    bends = [(0.0, semitones), *((beat, bend + semitones) for beat, bend in track.bends)]
    late = 0.012 if semitones > 0 else 0.0
    notes = [(start + late, end + late, key, velocity) for start, end, key, velocity in track.notes]
    return replace(track, bends=bends, notes=notes)


def _emphasis(piece: Piece, role: Role) -> float:
    # One figure puts the lead in front of the band, many put the band around it.
    figures = piece.brief.texture.figures
    return {"lead": 2.0 * (0.5 - figures), "voice": 3.0 * (figures - 0.5), "pad": 1.5 * (figures - 0.5)}.get(
        role, 0.0
    )


def _ride(piece: Piece, samples: int) -> _Sound:
    # The level follows the form, as a hand on the fader: up to 5 dB between a breakdown and the last chorus.
    depth = 1.5 if piece.brief.style.static else 9.0 * piece.brief.dynamics
    places, levels = [], []
    for bar in piece.bars:
        if bar.start >= piece.ending.cadence:
            break
        places += [piece.seconds_at(bar.start), piece.seconds_at(bar.start + piece.brief.metre.beats) - 0.05]
        levels += [_ridden(bar, depth)] * 2
    if not places:
        return np.ones(samples, np.float32)
    curve = np.interp(np.arange(samples) / SAMPLE_RATE, places, levels)
    return np.asarray(10 ** (curve / 20), np.float32)


def _ridden(bar: Bar, depth: float) -> float:
    return -depth * max(0.0, 1.0 - bar.growth)


def _bus(piece: Piece) -> mix.Bus:
    a, texture, style = piece.brief.attributes, piece.brief.texture, piece.brief.style
    tilt = 1.4 * (texture.lightness - 0.5) - 0.8 * (texture.warmth - 0.5)
    tilt += 0.25 * (piece.brief.drive - 0.5) - 0.25 * (a.acousticness - 0.4)
    slope = min(mix.REFERENCE_SLOPE + 0.9, max(mix.REFERENCE_SLOPE - 0.95, style.mix.slope + tilt))
    grain = texture.grain
    opened = plan_window(piece)
    return mix.Bus(
        slope=slope,
        ratio=1.0 + (1.2 * a.loudness + 0.6 * piece.brief.drive) * (1.3 - 0.6 * texture.contrast),
        saturation=style.mix.saturation + 4.0 * max(0.0, grain - 0.4),
        noise=None if grain < 0.35 else -66.0 + 18.0 * (grain - 0.35),
        # Loudness 0.5 to 1 spans 8 dB here; mastering brings every clip to one loudness.
        level=mix.NOMINAL_RMS * 10 ** (16.0 * (min(1.0, max(0.5, a.loudness)) - 0.85) / 20),
        window=opened,
    )


def plan_window(piece: Piece) -> int:
    """Samples up to the cadence of the piece, or of the shorter one that it begins with."""
    ending = plan_ending(piece.brief, piece.opened)
    return max(
        SAMPLE_RATE // 4, round(ending.cadence * piece.brief.beat_seconds * SAMPLE_RATE) - SAMPLE_RATE // 20
    )


def _faded(piece: Piece, sound: _Sound) -> _Sound:
    # The last chord rings for half its time, then dies away along a cosine to nothing; what fades out does so
    # over the last bars.
    final = piece.seconds_at(piece.ending.final)
    length = round((piece.seconds - final) * 0.6 * SAMPLE_RATE)
    if piece.brief.style.ending == "fade":
        length = max(length, round(min(6.0, 0.22 * piece.seconds) * SAMPLE_RATE))
    length = min(sound.shape[1], max(1, length))
    curve = 0.5 + 0.5 * np.cos(np.linspace(0.0, np.pi, length))
    sound[:, -length:] *= curve.astype(np.float32)
    return sound
