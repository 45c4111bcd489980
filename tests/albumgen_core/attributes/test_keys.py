"""Keys are spelled as musicians spell them, in English and German, and what is shown is read back."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albumgen_core.attributes.genres import GENRES
from albumgen_core.attributes.keys import KEYS, MODES, key_name, mode_name, parse_key
from albumgen_core.attributes.names import genre_label, genre_named
from albumgen_core.attributes.predicted import parse_field
from albumgen_core.errors import AttributeRangeError
from albumgen_core.localisation import LANGUAGES

ORDERS = list(itertools.permutations(LANGUAGES))


@pytest.mark.parametrize(
    ("language", "mode", "names"),
    [
        ("en", "major", "C Db D Eb E F F# G Ab A Bb B"),
        ("en", "minor", "C C# D Eb E F F# G G# A Bb B"),
        ("de", "major", "C Des D Es E F Fis G As A B H"),
        ("de", "minor", "c cis d es e f fis g gis a b h"),
        ("de", None, "C Cis D Es E F Fis G As A B H"),
    ],
)
def test_keys_are_spelled_by_mode_and_language(language: str, mode: str | None, names: str) -> None:
    shown = [key_name(key, mode, language) for key in KEYS]
    ending = {"en": f" {mode}", "de": "-Dur" if mode == "major" else "-Moll"}[language] if mode else ""
    assert shown == [name + ending for name in names.split()]


@given(st.sampled_from(KEYS), st.sampled_from([None, *MODES]), st.sampled_from(LANGUAGES))
def test_what_is_shown_is_read_back(key: str, mode: str | None, language: str) -> None:
    shown = key_name(key, mode, language)
    others = [other for other in LANGUAGES if other != language]
    for written in (shown, shown.lower() if mode else shown, f" {shown} ", shown.replace("-", " ")):
        assert parse_key(written, (language, *others)) == (key, mode)


@given(st.sampled_from(KEYS), st.sampled_from(MODES), st.sampled_from(LANGUAGES), st.sampled_from(ORDERS))
def test_a_key_with_its_mode_means_the_same_to_everybody(
    key: str, mode: str, language: str, order: tuple[str, ...]
) -> None:
    assert parse_key(key_name(key, mode, language), order) == (key, mode)
    assert parse_field("mode", mode_name(mode, language), order) == {"mode": mode}


@pytest.mark.parametrize(
    ("text", "german", "english"),
    [
        ("B", ("A#", None), ("B", None)),
        ("H", ("B", None), ("B", None)),
        ("Bb", ("A#", None), ("A#", None)),
        ("B♭", ("A#", None), ("A#", None)),
        ("b-moll", ("A#", "minor"), ("A#", "minor")),
        ("B minor", ("B", "minor"), ("B", "minor")),
        ("Bm", ("B", "minor"), ("B", "minor")),
        ("C# Moll", ("C#", "minor"), ("C#", "minor")),
        ("Bb-Dur", ("A#", "major"), ("A#", "major")),
        ("Cis-Dur", ("C#", "major"), ("C#", "major")),
        ("as-moll", ("G#", "minor"), ("G#", "minor")),
        ("Ces", ("B", None), ("B", None)),
        ("His", ("C", None), ("C", None)),
    ],
)
def test_german_keys_are_read(
    text: str, german: tuple[str, str | None], english: tuple[str, str | None]
) -> None:
    assert parse_key(text, ("de", "en")) == german
    assert parse_key(text, ("en", "de")) == english


@pytest.mark.parametrize("text", ["", "I", "C dorisch", "Durmoll", "cism", "C##", "Hmoll Dur"])
def test_what_is_no_key_in_any_language_is_refused(text: str) -> None:
    with pytest.raises(AttributeRangeError, match="key"):
        parse_key(text, ("de", "en"))


@pytest.mark.parametrize("order", ORDERS)
def test_genres_are_read_by_the_names_they_are_shown_with(order: tuple[str, ...]) -> None:
    for genre in GENRES:
        for language in LANGUAGES:
            assert genre_named(genre_label(genre, language), order) == genre
    assert parse_field("album_genre", "  KLASSIK ", order) == {"album_genre": "classical"}
