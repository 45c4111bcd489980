"""The whole piece: every part written out, and brought to an end at the right moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from albumgen_core.engines.sketch import bass, comping, drums, melody
from albumgen_core.engines.sketch.form import Bar, Brief, write_form
from albumgen_core.engines.sketch.harmony import Chord, nearest, read_chord, voice_chord
from albumgen_core.engines.sketch.instruments import choose_ensemble
from albumgen_core.engines.sketch.score import Note, Part, Role, velocity
from albumgen_core.engines.sketch.styles import Groove

_SHORTEST_RING, _LONGEST_RING = 0.9, 2.8
"""Seconds that the last chord may ring."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a piece closes.

    Attributes:
        cadence: beat from which the penultimate chord sounds. Before it, a longer piece is the same.
        final: beat on which the last chord is struck.
    """

    cadence: float
    final: float


@dataclass(slots=True)
class Piece:
    """A piece, written out.

    Attributes:
        brief: what it was written from.
        seconds: its length.
        bars: its bars, up to the one the last chord falls into or just beyond.
        ending: where it closes.
        parts: one a player; times in beats.
    """

    brief: Brief
    seconds: float
    bars: list[Bar]
    ending: Ending
    parts: list[Part] = field(default_factory=list)

    def seconds_at(self, beat: float) -> float:
        """When a beat is played, in seconds."""
        swing = self.swing
        whole = int(beat // 1)
        part = beat - whole
        bent = part / 0.5 * swing if part < 0.5 else swing + (part - 0.5) / 0.5 * (1 - swing)
        return (whole + bent) * self.brief.beat_seconds

    @property
    def swing(self) -> float:
        """Place of the off-beat in its beat; very fast and very slow music swings less.

        Fast players even their eighths out; and in slow music a swung eighth is long enough to be heard as
        a beat of its own, in threes, so that below 80 BPM the beat is divided evenly.
        """
        fast = min(1.0, max(0.0, (self.brief.tempo - 110) / 110))
        slow = min(1.0, max(0.0, (self.brief.tempo - 80) / 20))
        return 0.5 + (self.brief.style.swing - 0.5) * (1 - 0.6 * fast) * slow


def plan_ending(brief: Brief, seconds: float) -> Ending:
    """Where the cadence and the last chord fall in a piece of a given length.

    The last chord is struck on the strongest beat that leaves it between 0.9 and 2.8 seconds to ring, or
    as near to that as a short clip allows.
    """
    total = seconds / brief.beat_seconds
    shortest = min(_SHORTEST_RING, 0.4 * seconds)
    metre = brief.metre
    candidates = [b for b in range(int(total) + 1) if (total - b) * brief.beat_seconds >= shortest]
    late = [b for b in candidates if (total - b) * brief.beat_seconds <= _LONGEST_RING] or candidates[-1:]
    final = max(late, key=lambda b: (metre.strength(b), b))
    if final == 0:
        return Ending(0.0, 0.0)
    # The penultimate chord takes the group before the last one, whatever bar that lies in.
    back = 1
    while back < metre.beats and metre.strength(final - back) < 0.75:
        back += 1
    if back == 1 and final >= 2 and brief.beat_seconds < 0.8:
        back = 2
    return Ending(float(max(0, final - back)), float(final))


def arrange(brief: Brief, seconds: float) -> Piece:
    """Write a piece of a given length (seconds > 0)."""
    ending = plan_ending(brief, seconds)
    bars = write_form(brief, ending.final + brief.metre.beats)
    ensemble = choose_ensemble(brief)
    piece = Piece(brief, seconds, bars, ending)
    groove = drums.choose_groove(brief)
    written = _write_parts(brief, bars, groove)
    for role, notes in written.items():
        kept = [
            _lightened(brief, _clipped(note, ending.cadence))
            for note in notes
            if note.start < ending.cadence - 1e-6
        ]
        kept += _close(brief, bars, ending, role, notes, seconds)
        if kept:
            piece.parts.append(Part(role, ensemble[role], kept))
    return piece


def _write_parts(brief: Brief, bars: list[Bar], groove: Groove) -> dict[Role, list[Note]]:
    kind = comping.choose_comping(brief)
    lead = melody.write_lead(brief, bars)
    parts: dict[Role, list[Note]] = {
        "chords": comping.write_chords(brief, bars, kind),
        "bass": bass.write_bass(brief, bars, bass.choose_bass_line(brief)),
        "drums": drums.write_drums(brief, bars, groove),
        "lead": lead,
    }
    if brief.attributes.energy > 0.3 or brief.style.progressions in ("ambient", "classical"):
        parts["pad"] = comping.write_pad(brief, bars)
    if brief.dice("voice").random() < 0.9 - 0.8 * brief.attributes.instrumentalness:
        parts["voice"] = melody.write_voice(brief, bars, lead)
    if kind != "arpeggio" and brief.dice("arpeggio?").random() < 0.9 * brief.drive + 0.1:
        parts["arpeggio"] = comping.write_arpeggio(brief, bars)
    return parts


def _clipped(note: Note, end: float) -> Note:
    return note if note.start + note.length <= end else note._replace(length=end - note.start)


def _lightened(brief: Brief, note: Note) -> Note:
    # In fast music what lies between the beats is played lightly, or the ear counts eighths in threes.
    haste = min(1.0, max(0.0, (brief.tempo - 120.0) / 30.0))
    if not haste or abs(note.start - round(note.start)) < 0.1:
        return note
    return note._replace(velocity=max(1, round(note.velocity * (1 - 0.6 * haste))))


def cadence_chords(brief: Brief) -> tuple[Chord, Chord]:
    """The penultimate and the last chord, as the style closes."""
    minor = brief.mode == "minor"
    symbols = {
        "authentic": ("V7", "i" if minor else "I"),
        "plagal": ("iv" if minor else "IV", "i" if minor else "I"),
        "modal": ("VII" if minor else "V", "i" if minor else "I"),
    }[brief.style.cadence]
    before, last = (read_chord(symbol, brief.tonic, brief.mode) for symbol in symbols)
    return before, last


def _close(
    brief: Brief, bars: list[Bar], ending: Ending, role: Role, notes: list[Note], seconds: float
) -> list[Note]:
    # The part's own last notes: the penultimate chord, then the last one, ringing to the end of the clip.
    before, last = cadence_chords(brief)
    ring = max(0.5, seconds / brief.beat_seconds - ending.final)
    wait = ending.final - ending.cadence
    near = max((note for note in notes if note.start < ending.cadence), default=None)
    level = 0.5 + 0.3 * brief.attributes.energy
    writers: dict[Role, Callable[[], list[Note]]] = {
        "drums": lambda: _close_drums(brief, ending, bool(notes), level),
        "bass": lambda: [
            Note(
                at,
                length * 0.98,
                nearest(37, [p for p in range(28, 45) if p % 12 == chord.root]),
                velocity(level),
            )
            for at, length, chord in ((ending.cadence, wait, before), (ending.final, ring, last))
            if length > 0
        ],
        "lead": lambda: _close_lead(brief, ending, near, ring, before, level),
    }
    if role in writers:
        return writers[role]()
    if role in ("voice", "arpeggio"):
        return []
    played = bars[0].span_at(0.0).voicing
    for bar in bars:
        for span in bar.spans:
            played = span.voicing if span.start < ending.cadence else played
    first = voice_chord(before, played)
    second = voice_chord(last, first if wait else None)
    soft = level * (0.75 if role == "pad" else 0.9)
    closing = [Note(ending.cadence, wait * 0.98, pitch, velocity(soft)) for pitch in first if wait > 0]
    pulse = [
        Note(ending.cadence + i, 0.9, p, velocity(soft * 0.9)) for i in range(1, int(wait)) for p in first
    ]
    if role == "chords" and pulse:
        # Struck on every beat, so that the pulse holds until the last chord.
        closing = [note._replace(length=0.9) for note in closing] + pulse
    return closing + [Note(ending.final, ring, pitch, velocity(soft)) for pitch in second]


def _close_lead(
    brief: Brief, ending: Ending, near: Note | None, ring: float, before: Chord, level: float
) -> list[Note]:
    here = near.pitch if near else 69
    tonic = nearest(here, [p for p in range(melody.LOW, melody.HIGH + 1) if p % 12 == brief.tonic])
    notes = [Note(ending.final, ring, tonic, velocity(level * 1.05))]
    if ending.final > ending.cadence:
        # The leading note comes to the tonic from next door: from above or below, whichever the chord has.
        doors = [
            p
            for p in (tonic + 2, tonic - 1, tonic - 2, tonic + 4, tonic + 3)
            if p % 12 in before.pitch_classes
        ]
        notes.insert(
            0,
            Note(
                ending.cadence,
                (ending.final - ending.cadence) * 0.97,
                doors[0] if doors else tonic,
                velocity(level),
            ),
        )
    return notes


def _close_drums(brief: Brief, ending: Ending, playing: bool, level: float) -> list[Note]:
    if not playing:
        return []
    notes = [Note(ending.final, 0.5, drums.KICK, velocity(level))]
    if brief.attributes.energy > 0.35:
        notes.append(Note(ending.final, 2.0, drums.CRASH, velocity(level * 0.85)))
    beats = int(ending.final - ending.cadence)
    for beat in range(beats):
        notes.append(Note(ending.cadence + beat, 0.25, drums.KICK, velocity(level * 0.9)))
        for half in (0.0, 0.5):
            notes.append(
                Note(
                    ending.cadence + beat + half, 0.25, drums.SNARE, velocity(level * (0.75 if half else 0.6))
                )
            )
    return notes
