"""What the modal shows can be sent as it is, and what is typed is what is set."""

from __future__ import annotations

from typing import Any

import pytest

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.genres import GENRES
from albumgen_core.attributes.keys import KEYS, MODES, key_name
from albumgen_core.localisation import LANGUAGES
from bot.takes.edit_modal import EditModal, read_edit


async def _nothing(*_: Any) -> None:
    """A modal that nobody sends."""


def document(key: str = "B", mode: str | None = "major", genre: str = "classical") -> dict[str, Any]:
    levels = dict.fromkeys(AUDIO_FEATURES, 0.123456)
    attributes = {"artist_name": "", "album_genre": genre, "key": key, "time_signature": 4, "mode": mode}
    return {"attributes": {**attributes, "tempo": 117.26, **levels}}


def shown(document: dict[str, Any], locale: str) -> dict[str, str]:
    modal = EditModal(document, "job", 10.0, locale, _nothing)
    return {name: str(box.default) for name, box in modal._boxes.items()}


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("sent_in", LANGUAGES)
@pytest.mark.parametrize("mode", MODES)
async def test_sent_unchanged_it_changes_nothing(locale: str, sent_in: str, mode: str) -> None:
    for key in KEYS:
        for genre in GENRES if key == "C" else ("rock",):
            take = document(key, mode, genre)
            assert read_edit(take, shown(take, locale), sent_in) == ({}, 10.0)


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_a_key_without_a_mode_is_shown_and_read_too(locale: str) -> None:
    for key in KEYS:
        take = document(key, None)
        assert read_edit(take, shown(take, locale), locale) == ({}, 10.0)


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("written_in", LANGUAGES)
async def test_a_typed_key_is_set_with_its_mode(locale: str, written_in: str) -> None:
    take = document("B", "major")
    for key in KEYS:
        for mode in MODES:
            typed = {**shown(take, locale), "key": key_name(key, mode, written_in)}
            wanted = {} if (key, mode) == ("B", "major") else {"key": key, "mode": mode}
            assert read_edit(take, typed, locale)[0] == wanted


async def test_german_members_read_and_type_german() -> None:
    take = document("A#", "major", "classical")
    boxes = shown(take, "de")
    assert (boxes["album_genre"], boxes["key"]) == ("Klassik", "B-Dur")
    typed = {**boxes, "album_genre": "Filmmusik", "key": "h-moll"}
    assert read_edit(take, typed, "de")[0] == {"album_genre": "soundtrack", "key": "B", "mode": "minor"}
