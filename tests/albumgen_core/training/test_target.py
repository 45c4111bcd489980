"""The answer to learn: whole and valid, and nothing learned from what nobody measured."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from albumgen_core.albums import Album
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.training.target import target_of


def album(artist: str = "Somebody", **known: object) -> Album:
    measured = MeasuredAttributes(artist_name=artist, **dict.fromkeys(AUDIO_FEATURES, 0.5), **known)  # type: ignore[arg-type]
    return Album("id", "Title", artist, measured)


def test_what_is_known_is_learned_as_it_is() -> None:
    target = target_of(album(key="C#", time_signature=3, tempo=87.3, album_genre="jazz", mode="minor"))
    found = MusicalAttributes.from_model_json(target.text)
    assert (found.key, found.time_signature, found.tempo, found.album_genre) == ("C#", 3, 87.3, "jazz")
    assert found.artist_name == "Somebody"
    assert target.unknown == ()


def test_what_is_not_known_is_made_up_and_marked() -> None:
    target = target_of(album(tempo=100.0))
    found = MusicalAttributes.from_model_json(target.text)
    marked = [target.text[start:end] for start, end in target.unknown]
    assert marked == [f'"{found.album_genre}"', f'"{found.key}"', f'"{found.time_signature}"']
    assert target_of(album(tempo=100.0)) == target


def test_the_last_field_is_marked_without_its_brace() -> None:
    target = target_of(album(key="C", time_signature=4, album_genre="jazz"))
    ((start, end),) = target.unknown
    assert 40 <= float(target.text[start:end]) <= 220
    assert target.text[end:] == "}"


def test_a_metre_that_cannot_be_played_counts_as_unknown() -> None:
    target = target_of(album(key="C", time_signature=1, album_genre="jazz", tempo=300.0))
    found = MusicalAttributes.from_model_json(target.text)
    assert [target.text[start:end] for start, end in target.unknown] == [f'"{found.time_signature}"']
    assert found.tempo == 220


@given(st.text(min_size=1, max_size=150))
def test_no_artist_s_name_confuses_it(name: str) -> None:
    for artist in (name, f'", "key": "X{name}\\'):
        target = target_of(album(artist))
        MusicalAttributes.from_model_json(target.text)
        marked = [target.text[start:end] for start, end in target.unknown]
        assert len(marked) == 4
        assert marked[1].strip('"#') in "CDEFGAB"
