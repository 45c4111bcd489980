from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from albumgen_core.engines.sketch.arrangement import Piece, arrange, cadence_chords
from albumgen_core.engines.sketch.drums import write_drums
from albumgen_core.engines.sketch.form import Brief
from albumgen_core.engines.sketch.score import Note, metre_of
from albumgen_core.engines.sketch.styles import STYLES
from tests.albumgen_core.engines.sketch.pictures import attributes

GENRES = (
    "pop",
    "rock",
    "metal",
    "hip hop",
    "jazz",
    "classical",
    "house",
    "reggae",
    "country",
    "ambient",
    "funk",
    "latin",
)


def piece(seconds: float = 20.0, seed: int = 1, **changes: Any) -> Piece:
    return arrange(Brief.of(attributes(**changes), seed), seconds)


def notes_of(arranged: Piece, role: str) -> list[Note]:
    return sorted(note for part in arranged.parts if part.role == role for note in part.notes)


@pytest.mark.parametrize("metre", [1, 2, 3, 4, 5, 6, 7, 9, 11])
def test_every_metre_has_groups_that_fill_it(metre: int) -> None:
    found = metre_of(metre)
    assert found.beats == metre == len(found.roles)
    assert found.roles[0] == "K"


@pytest.mark.parametrize("metre", [3, 4, 5, 6, 7])
@pytest.mark.parametrize("groove", sorted({g for s in STYLES.values() for g in s.grooves if g != "none"}))
def test_every_groove_has_a_kick_on_the_downbeat_of_every_metre(metre: int, groove: str) -> None:
    arranged = piece(time_signature=metre, energy=0.8)
    drums = write_drums(arranged.brief, arranged.bars, groove)
    kicks = {note.start for note in drums if note.pitch == 36}
    played = [bar.start for bar in arranged.bars if bar.section.label != "I"]
    assert all(start in kicks for start in played)
    assert all(1 <= note.velocity <= 127 for note in drums)


@pytest.mark.parametrize("genre", GENRES)
def test_a_piece_has_chords_bass_and_a_tune_in_range(genre: str) -> None:
    arranged = piece(album_genre=genre)
    for role, low, high in (("lead", 62, 84), ("bass", 26, 55), ("chords", 38, 90)):
        notes = notes_of(arranged, role)
        assert len(notes) >= 6
        assert all(low <= note.pitch <= high for note in notes)
    lead = notes_of(arranged, "lead")
    leaps = [abs(b.pitch - a.pitch) for a, b in pairwise(lead)]
    assert sum(leap <= 5 for leap in leaps) / len(leaps) > 0.75


@pytest.mark.parametrize("genre", GENRES)
@pytest.mark.parametrize("mode", ["major", "minor"])
def test_it_ends_on_the_tonic_with_time_to_ring(genre: str, mode: str) -> None:
    arranged = piece(12.0, album_genre=genre, mode=mode, key="E")
    final = arranged.ending.final
    before, last = cadence_chords(arranged.brief)
    assert last.root == 4 != before.root
    for role in ("lead", "bass"):
        closing = [note for note in notes_of(arranged, role) if note.start >= final]
        assert [note.pitch % 12 for note in closing] == [4]
    assert 0.9 <= 12.0 - arranged.seconds_at(final) <= 2.9


def test_the_introduction_has_no_tune_and_sections_contrast() -> None:
    arranged = piece(40.0)
    labels = [bar.section.label for bar in arranged.bars]
    assert labels[0] == "I"
    assert {"A", "B"} <= set(labels)
    first = next(bar.start for bar in arranged.bars if bar.section.label == "A")
    assert notes_of(arranged, "lead")[0].start >= first


def test_energy_brings_notes_and_force() -> None:
    calm, wild = piece(energy=0.15), piece(energy=0.95)

    def force(arranged: Piece) -> float:
        return sum(note.velocity for part in arranged.parts for note in part.notes)

    assert force(wild) > 1.4 * force(calm)


@pytest.mark.parametrize("genre", GENRES)
def test_more_energy_is_never_fewer_notes(genre: str) -> None:
    # Counted by when they begin: a chord is one event to the ear.
    events = [
        len({round(note.start, 2) for part in arranged.parts for note in part.notes})
        for arranged in (piece(album_genre=genre, energy=energy, tempo=92.0) for energy in (0.2, 0.6, 0.9))
    ]
    assert events[0] < events[2]
    assert events == sorted(events)


def test_turning_up_the_tempo_keeps_the_tune() -> None:
    def opening(tempo: float) -> list[tuple[float, int]]:
        return [(n.start, n.pitch) for n in notes_of(piece(tempo=tempo), "lead")][:6]

    assert opening(108.0) == opening(112.0)


def test_speech_repeats_notes_more_than_song() -> None:
    def repeats(speechiness: float) -> float:
        shares = []
        for seed in range(6):
            lead = notes_of(
                piece(album_genre="hip hop", speechiness=speechiness, tempo=92.0, seed=seed), "lead"
            )
            shares.append(sum(a.pitch == b.pitch for a, b in pairwise(lead)) / len(lead))
        return sum(shares) / len(shares)

    assert repeats(0.6) > repeats(0.03)


def test_seeds_differ_in_tune_and_agree_with_themselves() -> None:
    tunes = {tuple((n.start, n.pitch) for n in notes_of(piece(seed=seed), "lead")) for seed in range(12)}
    assert len(tunes) == 12
    assert piece(seed=3).parts == piece(seed=3).parts


def test_a_longer_piece_begins_with_the_shorter_one() -> None:
    for genre in GENRES:
        short, long = piece(9.0, album_genre=genre), piece(31.0, album_genre=genre)
        cut = short.ending.cadence
        for role in ("lead", "bass", "chords", "drums"):
            ours = [(n.start, n.pitch, n.velocity) for n in notes_of(short, role) if n.start < cut]
            theirs = [(n.start, n.pitch, n.velocity) for n in notes_of(long, role) if n.start < cut]
            assert ours == theirs
