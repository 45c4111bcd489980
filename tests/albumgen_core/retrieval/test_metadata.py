from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albumgen_core.albums import Album
from albumgen_core.attributes.fields import AUDIO_FEATURES, KEYS
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.retrieval.metadata import album_from_metadata, album_to_metadata, checked_metadata
from tests.albumgen_core.retrieval.helpers import an_album

shares = st.floats(0, 1)
attributes = st.builds(
    MeasuredAttributes,
    artist_name=st.just("?"),
    **dict.fromkeys(AUDIO_FEATURES, shares),
    album_genre=st.none() | st.text(min_size=1),
    key=st.none() | st.sampled_from(KEYS),
    mode=st.sampled_from([None, "major", "minor"]),
    time_signature=st.none() | st.integers(1, 16),
    tempo=st.none() | st.floats(20, 300),
    tracks=st.none() | st.integers(1, 500),
)


@given(attributes, st.text(min_size=1), st.none() | st.integers(1000, 2999))
def test_an_album_survives_the_way_there_and_back(
    measured: MeasuredAttributes, title: str, year: int | None
) -> None:
    album = Album("an id", title, "?", measured, year)
    assert album_from_metadata("an id", album_to_metadata(album)) == album


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, None, np.float32(0.5), np.float64(0.5), np.int64(3), [1], b"x"]
)
def test_what_chroma_would_lose_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="metadata tempo"):
        checked_metadata({"title": "fine", "tempo": value})


def test_unknown_fields_are_left_out_not_stored_as_none() -> None:
    metadata = album_to_metadata(an_album(1, year=None))
    assert "key" not in metadata
    assert "year" not in metadata
    assert None not in metadata.values()
