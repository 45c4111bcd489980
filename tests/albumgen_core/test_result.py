"""Result folders: whole under their name, or not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.types import Audio
from albumgen_core.result import Take, is_whole, read_document, read_tokens, write_take

ATTRIBUTES = MusicalAttributes(
    artist_name="Nobody",
    album_genre="jazz",
    key="D",
    time_signature=3,
    acousticness=0.5,
    danceability=0.5,
    energy=0.5,
    instrumentalness=0.5,
    liveness=0.5,
    loudness=0.5,
    speechiness=0.5,
    valence=0.5,
    tempo=100.0,
)


def take(**changes: Any) -> Take:
    tokens = np.arange(8, dtype=np.int16).reshape(4, 2)
    values: dict[str, Any] = {
        "attributes": ATTRIBUTES,
        "neighbours": (),
        "rag": True,
        "prompt": "Jazz waltz.",
        "seed": 3,
        "seconds": 1.0,
        "audio": Audio(np.zeros((2, 10), np.float32), 10, tokens),
        "mp3": b"mp3",
        "ogg": b"ogg",
        "card": b"png",
        "cover_jpeg": b"jpeg",
        "cover_png": b"png",
        "cover_sha256": "00",
        "family": "sketch",
        "describer": "d",
        "composer": "c",
        "notices": ["No retrieval: there is no index."],
    }
    return Take(**(values | changes))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    folder = write_take(take(), tmp_path / "one")
    document = read_document(folder)
    assert MusicalAttributes.from_dict(document["attributes"]) == ATTRIBUTES
    assert document["notices"] == ["No retrieval: there is no index."]
    assert {(folder / name).read_bytes() for name in document["files"].values()} == {
        b"mp3",
        b"ogg",
        b"png",
        b"jpeg",
    }
    tokens = read_tokens(folder)
    assert tokens is not None
    assert tokens.dtype == np.int16
    assert tokens.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_a_clip_without_tokens_has_none_beside_it(tmp_path: Path) -> None:
    silent = Audio(np.zeros((1, 10), np.float32), 10)
    assert read_tokens(write_take(take(audio=silent), tmp_path / "one")) is None


def test_an_older_result_is_replaced_whole(tmp_path: Path) -> None:
    write_take(take(), tmp_path / "one")
    folder = write_take(take(audio=Audio(np.zeros((1, 1), np.float32), 1), mp3=b"new"), tmp_path / "one")
    assert (folder / "clip.mp3").read_bytes() == b"new"
    assert not (folder / "tokens.npz").exists()


def test_a_full_disk_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_take(take(), tmp_path / "one")
    real = Path.open

    def full(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.name == "card.png":
            raise OSError(28, "No space left on device")
        return real(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space"):
        write_take(take(mp3=b"new"), tmp_path / "one")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert (tmp_path / "one" / "clip.mp3").read_bytes() == b"mp3"


def test_a_folder_cut_short_by_a_crash_is_not_a_result(tmp_path: Path) -> None:
    (tmp_path / "one.partial").mkdir()
    (tmp_path / "one.partial" / "clip.mp3").write_bytes(b"half")
    assert not is_whole(tmp_path / "one")
    assert is_whole(write_take(take(), tmp_path / "one"))
    assert not (tmp_path / "one.partial").exists()


def test_the_document_is_plain_json() -> None:
    assert json.loads(json.dumps(take().document()))["seed"] == 3


def test_an_album_that_an_earlier_version_called_its_own_neighbour_is_the_album(tmp_path: Path) -> None:
    for distance, known in ((0.0004, True), (0.4, False)):
        near = [{"title": "One", "distance": distance}, {"title": "Two", "distance": 0.5}]
        (tmp_path / "result.json").write_text(json.dumps({"neighbours": near}))
        document = read_document(tmp_path)
        assert document["album"] == (near[0] if known else None)
        assert document["neighbours"] == (near[1:] if known else near)
