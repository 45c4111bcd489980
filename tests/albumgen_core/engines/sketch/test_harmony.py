from __future__ import annotations

from itertools import pairwise

import pytest

from albumgen_core.attributes.genres import GENRES
from albumgen_core.attributes.predicted import Mode
from albumgen_core.engines.sketch.genre_means import GENRE_MEANS
from albumgen_core.engines.sketch.harmony import REGISTER, read_chord, voice_chord
from albumgen_core.engines.sketch.progressions import PROGRESSIONS
from albumgen_core.engines.sketch.style_words import style_name
from albumgen_core.engines.sketch.styles import STYLES


@pytest.mark.parametrize(
    ("symbol", "tonic", "mode", "classes"),
    [
        ("V7", 0, "major", (7, 11, 2, 5)),
        ("vi", 0, "major", (9, 0, 4)),
        ("VI", 9, "minor", (5, 9, 0)),
        ("bVII", 0, "major", (10, 2, 5)),
        ("iim7b5", 0, "minor", (2, 5, 8, 0)),
        ("V", 9, "minor", (4, 8, 11)),
    ],
)
def test_numerals_read_in_their_key(symbol: str, tonic: int, mode: Mode, classes: tuple[int, ...]) -> None:
    assert read_chord(symbol, tonic, mode).pitch_classes == classes


@pytest.mark.parametrize("symbol", ["H7", "", "Imaj13", "VIII"])
def test_what_is_no_chord_is_refused(symbol: str) -> None:
    with pytest.raises(ValueError, match="not a chord symbol"):
        read_chord(symbol, 0, "major")


def test_every_progression_is_readable_and_voices_move_little() -> None:
    moves = []
    for modes in PROGRESSIONS.values():
        for mode, progressions in modes.items():
            for tonic in range(12):
                for progression in progressions:
                    chords = [read_chord(s, tonic, mode) for s in progression.split()]
                    assert len(chords) == 4
                    voicings, previous = [], None
                    for chord in [*chords, *chords]:
                        previous = voice_chord(chord, previous)
                        voicings.append(previous)
                        assert {p % 12 for p in previous} <= set(chord.pitch_classes)
                        assert all(REGISTER[0] <= p <= REGISTER[1] for p in previous)
                    for a, b in pairwise(voicings):
                        if len(a) == len(b):
                            moves += [abs(x - y) for x, y in zip(a, b, strict=True)]
    assert sum(moves) / len(moves) < 2.6
    assert max(moves) <= 9


@pytest.mark.parametrize(
    ("genre", "style"),
    [
        ("hip hop", "hiphop"), ("Latin Jazz", "latin"), ("drum and bass", "breaks"), ("R&B", "rnb"),
        ("synthpop", "synthpop"), ("death metal", "metal"), ("", "pop"), ("zydeco from Mars", "pop"),
    ],
)  # fmt: skip
def test_any_genre_has_a_style(genre: str, style: str) -> None:
    assert style_name(genre) == style
    assert style in STYLES


def test_the_vocabulary_is_spread_over_the_styles() -> None:
    assert len({style_name(genre) for genre in GENRES}) >= 18
    assert set(GENRE_MEANS) <= set(GENRES)
