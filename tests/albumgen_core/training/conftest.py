"""Albums that can be learned from in seconds: noise for covers, one sound for all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from albumgen_core.albums import Album
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.dataset.records import AlbumRecord
from tests.checkpoints import internvl

COUNT = 26


@pytest.fixture(scope="session")
def tiny_internvl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return internvl.build(tmp_path_factory.mktemp("training") / "tiny-internvl")


@pytest.fixture(scope="session")
def albums(tmp_path_factory: pytest.TempPathFactory) -> list[AlbumRecord]:
    return make_albums(tmp_path_factory.mktemp("albums"))


def make_albums(folder: Path, count: int = COUNT) -> list[AlbumRecord]:
    """The same albums in any process: pairs of them are by one artist; keys and metres are not known."""
    rng = np.random.default_rng(0)
    records = []
    for number in range(count):
        cover = folder / f"{number}.png"
        if not cover.is_file():
            Image.fromarray(rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)).save(cover)
        measured = MeasuredAttributes(
            artist_name=f"Artist {number // 2}",
            album_genre="folk",
            tempo=96.0,
            **dict.fromkeys(AUDIO_FEATURES, 0.25),
        )
        album = Album(f"album-{number}", f"Title {number}", f"Artist {number // 2}", measured)
        records.append(AlbumRecord(album, cover))
    return records
