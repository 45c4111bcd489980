"""Everybody's genre words lead into one vocabulary."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albumgen_core.attributes.genres import GENRES, normalise_genre
from tests.paths import DEVELOPMENT_DATA

FACTS = {
    "album rock": "classic rock",
    "dance pop": "dance pop",
    "alternative metal": "metal",
    "adult standards": "adult standards",
    "contemporary country": "country",
    "classic soul": "soul",
    "alternative hip hop": "hip hop",
    "brill building pop": "pop",
    "deep disco house": "house",
    "bubblegum pop": "pop",
    "art rock": "progressive rock",
    "anthem worship": "christian",
    "christian metal": "metal",
    "christian hip hop": "hip hop",
    "country gospel": "gospel",
    "g funk": "hip hop",
    "funk carioca": "latin",
    "blues-rock": "blues",
    "country blues": "blues",
    "neo soul": "soul",
    "new jack swing": "r&b",
    "electro swing": "electronic",
    "alternative r&b": "r&b",
    "rhythm and blues": "r&b",
    "dreamo": "emo",
    "ska punk": "reggae",
    "reggae fusion": "reggae",
    "reggaeton": "latin",
    "rock-and-roll": "rock and roll",
    "dubstep": "electronic",
    "drum & bass": "drum and bass",
    "indie folk": "folk",
    "alaska indie": "indie rock",
    "british soundtrack": "soundtrack",
    "broadway": "show tunes",
    "baroque pop": "indie pop",
    "baroque": "classical",
    "bebop": "jazz",
    "k-pop": "pop",
    "afrobeat": "world",
    "synthpop": "synth-pop",
    "hip-hop": "hip hop",
    "Disco-Rock": "disco",
    "Hip Hip Hop": "hip hop",
    "Rhythm & Blues": "r&b",
    "Drum 'n' Bass": "drum and bass",
    "R & B": "r&b",
    "RnB": "r&b",
    "R&B, Country": "r&b",
    "Bachata / Méxican": "latin",
    # P4KxSpotify's nine
    "Rock": "rock",
    "Electronic": "electronic",
    "Experimental": "experimental",
    "Rap": "hip hop",
    "Pop/R&B": "pop",
    "Metal": "metal",
    "Folk/Country": "folk",
    "Jazz": "jazz",
    "Global": "world",
}


@pytest.mark.parametrize(("raw", "genre"), FACTS.items())
def test_raw_words_find_their_genre(raw: str, genre: str) -> None:
    assert normalise_genre(raw) == genre


@pytest.mark.parametrize("raw", ["male", "-", "", "Missing", "none", "???", "female vocalist", "scrapbook"])
def test_words_that_name_no_genre_find_none(raw: str) -> None:
    assert normalise_genre(raw) is None


def test_the_vocabulary_is_small_and_its_own_image() -> None:
    assert 38 <= len(GENRES) <= 48
    for genre in GENRES:
        assert normalise_genre(genre) == genre
        assert normalise_genre(genre.upper().replace(" ", "-")) == genre


@pytest.mark.slow
@given(st.text(max_size=200))
def test_any_text_gives_a_genre_or_none(raw: str) -> None:
    assert normalise_genre(raw) in {None, *GENRES}


def test_musicoset_is_covered() -> None:
    table = DEVELOPMENT_DATA / "musicoset" / "musicoset_metadata" / "artists.csv"
    if not table.is_file():
        pytest.skip("development data (MusicOSet) is not here")
    head, *lines = table.read_text(encoding="utf-8").splitlines()
    column = head.split("\t").index("main_genre")
    words = Counter(line.split("\t")[column] for line in lines if line)
    del words["-"]
    known = [word for word in words if normalise_genre(word)]
    by_word, by_artist = len(known) / len(words), sum(words[word] for word in known) / words.total()
    assert by_word > 0.97, f"{by_word:.1%} of the words"
    assert by_artist > 0.97, f"{by_artist:.1%} of the artists"
