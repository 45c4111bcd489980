from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from albumgen_core.engines.sketch.arrangement import Piece, arrange
from albumgen_core.engines.sketch.brief import Brief
from albumgen_core.engines.sketch.closing import cadence_chords
from albumgen_core.engines.sketch.drums import write_drums
from albumgen_core.engines.sketch.form import plan_sections
from albumgen_core.engines.sketch.grooves import GROOVES
from albumgen_core.engines.sketch.score import Note, metre_of
from albumgen_core.engines.sketch.texture import Texture
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
@pytest.mark.parametrize("groove", sorted(set(GROOVES) - {"onedrop", "salsa"}))
def test_every_groove_has_a_kick_on_the_downbeat_of_every_metre(metre: int, groove: str) -> None:
    arranged = piece(time_signature=metre, energy=0.8)
    drums = write_drums(arranged.brief, arranged.bars, GROOVES[groove])
    kicks = {note.start for note in drums if note.pitch == 36}
    played = [bar.start for bar in arranged.bars if bar.section.kind in ("verse", "chorus")]
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


def test_ten_seconds_reach_hook_and_lift_and_the_tune_does_not_wait() -> None:
    for genre in GENRES:
        arranged = piece(10.0, album_genre=genre)
        kinds = [section.kind for section in plan_sections(arranged.brief, arranged.ending.final)]
        assert kinds in (["pickup", "verse", "chorus"], ["verse", "chorus"])
        lead = notes_of(arranged, "lead")
        assert arranged.seconds_at(lead[0].start) < 2.6


def test_thirty_seconds_have_an_introduction_two_ideas_and_a_return() -> None:
    arranged = piece(30.0)
    kinds = [section.kind for section in plan_sections(arranged.brief, arranged.ending.final)]
    assert kinds == ["intro", "verse", "chorus", "verse"]
    first = next(bar.start for bar in arranged.bars if bar.section.kind == "verse")
    assert notes_of(arranged, "lead")[0].start >= first - 0.5


@pytest.mark.parametrize("seconds", [60.0, 90.0, 200.0])
@pytest.mark.parametrize("metre", [3, 4, 7])
def test_a_minute_builds_to_a_last_chorus(seconds: float, metre: int) -> None:
    arranged = piece(seconds, time_signature=metre)
    sections = plan_sections(arranged.brief, arranged.ending.final)
    kinds = [section.kind for section in sections]
    assert kinds[0] == "intro"
    assert kinds[-4:] == ["breakdown", "build", "chorus", "outro"] or kinds[-4:] == [
        "verse",
        "build",
        "chorus",
        "outro",
    ]
    assert max(section.intensity for section in sections) == sections[-2].intensity
    bars = int(arranged.ending.final // metre)
    assert sum(section.bars for section in sections) == bars


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


def test_a_longer_piece_begins_with_the_shorter_one_that_it_goes_on_from() -> None:
    for genre in GENRES:
        brief = Brief.of(attributes(album_genre=genre), 1)
        short, long = arrange(brief, 9.0), arrange(brief, 31.0, opened=9.0)
        cut = short.ending.cadence - 0.5
        for role in ("lead", "bass", "chords", "drums"):
            ours = [(n.start, n.pitch, n.velocity) for n in notes_of(short, role) if n.start < cut]
            theirs = [(n.start, n.pitch, n.velocity) for n in notes_of(long, role) if n.start < cut]
            assert ours == theirs


def test_comping_and_bass_change_from_bar_to_bar() -> None:
    for genre in ("pop", "rock", "soul", "jazz", "house"):
        arranged = piece(60.0, album_genre=genre, tempo=112.0)
        beats = arranged.brief.metre.beats
        for role, least in (("chords", 0.2), ("bass", 0.2)):
            bars: dict[int, set[tuple[float, int]]] = {}
            for note in notes_of(arranged, role):
                # What a walking bass changes are its pitches; chords are compared by rhythm alone.
                pitch = note.pitch if role == "bass" else 0
                bars.setdefault(int(note.start // beats), set()).add((round(note.start % beats, 2), pitch))
            rhythms = [frozenset(bar) for bar in bars.values()]
            assert len(set(rhythms)) / len(rhythms) >= least, (genre, role)


def test_tunes_are_tied_over_bar_lines_and_seldom_stand_still() -> None:
    held = total = repeats = 0
    for seed in range(12):
        arranged = piece(40.0, seed=seed)
        beats = arranged.brief.metre.beats
        lead = notes_of(arranged, "lead")
        held += sum(int(n.start // beats) != int((n.start + n.length - 0.05) // beats) for n in lead)
        repeats += sum(a.pitch == b.pitch for a, b in pairwise(lead))
        total += len(lead)
    assert held / total > 0.04
    assert repeats / total < 0.2


def test_an_808_meets_the_kick_and_glides() -> None:
    arranged = piece(30.0, album_genre="hip hop", raw_genre="trap", acousticness=0.1)
    assert arranged.brief.style_name == "trap"
    kicks = {round(n.start, 2) for n in notes_of(arranged, "drums") if n.pitch == 36}
    sounding = [bar for bar in arranged.bars if bar.section.kind in ("verse", "chorus")]
    first, last = sounding[0].start, sounding[-1].start
    low = [n for n in notes_of(arranged, "bass") if first <= n.start < min(last, arranged.ending.cadence)]
    assert sum(round(n.start, 2) in kicks for n in low) / len(low) > 0.8
    assert any(part.bends for part in arranged.parts if part.role == "bass")


def test_open_hats_ghost_notes_and_fills_are_played() -> None:
    house = notes_of(piece(30.0, album_genre="house"), "drums")
    assert sum(n.pitch == 46 for n in house) > 20
    funk = notes_of(piece(30.0, album_genre="funk"), "drums")
    snares = [n.velocity for n in funk if n.pitch == 38]
    assert min(snares) < 0.7 * max(snares)
    rock = piece(30.0, album_genre="rock", energy=0.8)
    toms = {n.pitch for n in notes_of(rock, "drums")} & {50, 47, 45, 43}
    assert len(toms) >= 2


def test_the_cover_decides_players_and_chords_and_the_seed_the_tune() -> None:
    texture = Texture(colours=0.8, figures=0.8)
    pieces = [arrange(Brief.of(attributes(), seed, texture), 20.0) for seed in range(6)]
    assert len({tuple((part.role, part.program) for part in p.parts) for p in pieces}) == 1
    assert len({tuple(span.chord for bar in p.bars for span in bar.spans) for p in pieces}) == 1
    assert len({tuple(notes_of(p, "lead")) for p in pieces}) == 6


def test_a_larger_palette_brings_more_players_and_a_lighter_picture_a_higher_tune() -> None:
    def band(**texture: float) -> Piece:
        return arrange(Brief.of(attributes(), 3, Texture(**texture)), 20.0)

    assert len(band(colours=0.05, figures=0.0).parts) < len(band(colours=0.9, figures=0.9).parts)
    low, high = (
        sum(n.pitch for n in notes_of(band(lightness=value), "lead"))
        / len(notes_of(band(lightness=value), "lead"))
        for value in (0.0, 1.0)
    )
    assert high > low + 2
