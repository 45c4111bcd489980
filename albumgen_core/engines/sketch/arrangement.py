"""The whole piece: every part written out, and brought to an end at the right moment."""

from __future__ import annotations

from dataclasses import dataclass, field

from albumgen_core.engines.sketch import bass, comping, drums, melody
from albumgen_core.engines.sketch.brief import Brief
from albumgen_core.engines.sketch.closing import Closing, Ending, plan_ending
from albumgen_core.engines.sketch.form import Bar, write_form
from albumgen_core.engines.sketch.instruments import Ensemble, choose_ensemble
from albumgen_core.engines.sketch.score import Bend, Note, Part, Role, Swell


@dataclass(slots=True)
class Piece:
    """A piece, written out.

    Attributes:
        brief: what it was written from.
        seconds: its length.
        opened: length of the shorter piece that it begins with, else its own.
        bars: its bars, up to the one the last chord falls into or just beyond.
        ending: where it closes.
        parts: one a player; times in beats.
    """

    brief: Brief
    seconds: float
    opened: float
    bars: list[Bar]
    ending: Ending
    parts: list[Part] = field(default_factory=list)

    def straightened(self, beat: float) -> float:
        """A beat of the score as a beat of the clock: swing is written out."""
        swing, unit = self.swing, 0.5 if self.brief.style.sixteenths else 1.0
        whole = beat // unit
        part = beat / unit - whole
        bent = part / 0.5 * swing if part < 0.5 else swing + (part - 0.5) / 0.5 * (1 - swing)
        return float(whole + bent) * unit

    def seconds_at(self, beat: float) -> float:
        """When a beat is played, in seconds."""
        return self.straightened(beat) * self.brief.beat_seconds

    @property
    def swing(self) -> float:
        """Place of the off-beat in its beat (or eighth); very fast and very slow music swings less.

        Fast players even their eighths out; and in slow music a swung eighth is long enough to be heard as
        a beat of its own, in threes, so that below 80 BPM the beat is divided evenly.
        """
        tempo = self.brief.tempo
        fast = min(1.0, max(0.0, (tempo - 110) / 110))
        slow = 1.0 if self.brief.style.sixteenths else min(1.0, max(0.0, (tempo - 80) / 20))
        return 0.5 + (self.brief.style.swing - 0.5) * (1 - 0.6 * fast) * slow


def arrange(brief: Brief, seconds: float, opened: float | None = None) -> Piece:
    """Write a piece of a given length (seconds > 0).

    With `opened`, it begins with the music of a piece that long, up to that piece's cadence.
    """
    ending = plan_ending(brief, seconds)
    first = None if opened is None or opened >= seconds else plan_ending(brief, opened).final
    bars = write_form(brief, ending.final, first)
    piece = Piece(brief, seconds, seconds if first is None else opened or seconds, bars, ending)
    ensemble = choose_ensemble(brief)
    closing = Closing(brief, bars, ending, seconds)
    for role, notes, bends, swells in _write_parts(brief, bars, ensemble):
        kept = [
            _lightened(brief, _clipped(note, ending.cadence))
            for note in notes
            if note.start < ending.cadence - 1e-6
        ]
        kept += closing.notes(role, notes)
        if kept:
            piece.parts.append(
                Part(
                    role,
                    ensemble[role],
                    kept,
                    [bend for bend in bends if bend.start < ending.cadence - 0.5],
                    [swell for swell in swells if swell.start < ending.cadence],
                )
            )
    return piece


_Written = tuple[Role, list[Note], list[Bend], list[Swell]]


def _write_parts(brief: Brief, bars: list[Bar], ensemble: Ensemble) -> list[_Written]:
    lead = melody.write_lead(brief, bars)
    kit = drums.write_drums(brief, bars, drums.choose_groove(brief))
    low, glides = bass.write_bass(brief, bars, kit)
    parts: list[_Written] = [
        ("chords", comping.write_chords(brief, bars, lead), [], []),
        ("bass", low, glides, []),
        ("drums", kit, [], []),
        ("lead", lead, [], []),
    ]
    if "pad" in ensemble.players:
        held, swells = comping.write_pad(brief, bars)
        parts.append(("pad", held, [], swells))
    if "voice" in ensemble.players:
        parts.append(("voice", melody.write_voice(brief, bars, lead), [], []))
    if "arpeggio" in ensemble.players:
        parts.append(("arpeggio", comping.write_arpeggio(brief, bars), [], []))
    return parts


def _clipped(note: Note, end: float) -> Note:
    return note if note.start + note.length <= end else note._replace(length=end - note.start)


def _lightened(brief: Brief, note: Note) -> Note:
    # In fast music what lies between the beats is played lightly, or the ear counts eighths in threes.
    haste = min(1.0, max(0.0, (brief.tempo - 120.0) / 30.0))
    if not haste or abs(note.start - round(note.start)) < 0.1:
        return note
    return note._replace(velocity=max(1, round(note.velocity * (1 - 0.3 * haste))))
