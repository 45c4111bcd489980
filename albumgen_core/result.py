"""A finished take: what was made, and how it lies on disk.

A result folder holds `clip.mp3`, `clip.ogg` (20 ms Opus frames, for voice), `card.png`, `cover.jpg` (for
showing), `cover.png` (the cover as it was read, without loss), `result.json`, where the cover was embedded
`embedding.npz`, from composers that work in tokens `tokens.npz`, from those that write notes `clip.mid`, and
`stems/NAME.flac` where they were asked for. Takes of schema 1 have neither `cover.png` nor `embedding.npz`.
A folder appears under its name only when it is whole: everything is written to a neighbouring `.partial`
folder, synced, and renamed.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from albumgen_core.albums import SAME_COVER, Neighbour
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.types import Audio
from albumgen_core.errors import ForeignFolderError
from albumgen_core.files import sync_directory, write_synced
from albumgen_core.version import __version__
from albumgen_core.vocabulary import Family

SCHEMA = 2
CLIP_MP3 = "clip.mp3"
CLIP_OGG = "clip.ogg"
CARD = "card.png"
COVER = "cover.jpg"
EXACT_COVER = "cover.png"
EMBEDDING = "embedding.npz"
RESULT = "result.json"
TOKENS = "tokens.npz"
MIDI = "clip.mid"
STEMS = "stems"
_FILES = frozenset({CLIP_MP3, CLIP_OGG, CARD, COVER, EXACT_COVER, EMBEDDING, RESULT, TOKENS, MIDI})


@dataclass(frozen=True, slots=True)
class Take:
    """One finished clip and all that is known about it.

    Attributes:
        attributes: what the clip was composed from (predicted, with a member's overrides applied).
        overridden: names of the fields that a member set by hand.
        neighbours: the albums the attributes were reasoned from; () without RAG.
        itself: the album whose cover this is, where the index holds it; never among the neighbours.
        rag: whether retrieval was asked for.
        prompt: the text for the composer.
        seed, seconds: of the composition; seconds is the length of the audio.
        audio: the composed sound, before loudness normalisation.
        mp3, ogg, card, cover_jpeg: the encoded files. cover_png: `Cover.to_png`, which loses nothing.
        embedding: the cover's vector, float32 (512,), where one was needed; embedder: the space it is in.
        family: engine family; describer and composer are the names of the models.
        notices: sentences the reader must see (no index, another engine stood in).
        timings: seconds spent in each stage (its share of a batch).
        words: what the words on the cover say (`CoverReading.to_dict`), or None where they were not read.
    """

    attributes: MusicalAttributes
    neighbours: Sequence[Neighbour]
    rag: bool
    prompt: str
    seed: int
    seconds: float
    audio: Audio
    mp3: bytes
    ogg: bytes
    card: bytes
    cover_jpeg: bytes
    cover_png: bytes
    cover_sha256: str
    family: Family
    describer: str
    composer: str
    embedder: str = ""
    embedding: NDArray[np.float32] | None = None
    itself: Neighbour | None = None
    overridden: Sequence[str] = ()
    notices: Sequence[str] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    lineage: Mapping[str, str | None] = field(default_factory=dict)
    words: Mapping[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """The take as JSON-ready values: the content of result.json."""
        return {
            "schema": SCHEMA,
            "version": __version__,
            "engine": {"family": self.family, "describer": self.describer, "composer": self.composer},
            "rag": self.rag,
            "attributes": self.attributes.to_dict(),
            "overridden": list(self.overridden),
            "neighbours": [_album(neighbour) for neighbour in self.neighbours],
            "album": _album(self.itself) if self.itself is not None else None,
            "words": None if self.words is None else dict(self.words),
            "prompt": self.prompt,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            "cover_sha256": self.cover_sha256,
            "notices": list(self.notices),
            "timings": {stage: round(seconds, 4) for stage, seconds in self.timings.items()},
            "lineage": dict(self.lineage),
            "files": {
                "mp3": CLIP_MP3,
                "ogg": CLIP_OGG,
                "card": CARD,
                "cover": COVER,
                "exact_cover": EXACT_COVER,
            },
        }


def _album(neighbour: Neighbour) -> dict[str, Any]:
    return {
        "album_id": neighbour.album.album_id,
        "title": neighbour.album.title,
        "artist": neighbour.album.artist,
        "year": neighbour.album.year,
        "distance": None if neighbour.distance is None else round(float(neighbour.distance), 6),
        "reason": neighbour.reason,
        "attributes": neighbour.attributes.to_dict(),
    }


def write_take(take: Take, folder: Path) -> Path:
    """Write a take to `folder`, whole or not at all; an older take of that name, whole or not, is replaced.

    Returns `folder`. Raises OSError (disk full, no permission) and, where that name belongs to anything that
    holds more than a take's files, ForeignFolderError; then `folder` is as it was.
    """
    partial = folder.with_name(folder.name + ".partial")
    for path in (folder, partial):
        if _is_there(path) and not _holds_a_take_at_most(path):
            raise ForeignFolderError(path)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    files = {
        CLIP_MP3: take.mp3,
        CLIP_OGG: take.ogg,
        CARD: take.card,
        COVER: take.cover_jpeg,
        EXACT_COVER: take.cover_png,
    }
    try:
        for name, data in files.items():
            write_synced(partial / name, data)
        if take.audio.tokens is not None:
            np.savez_compressed(partial / TOKENS, tokens=take.audio.tokens)
            sync_directory(partial / TOKENS)
        if take.embedding is not None:
            np.savez(
                partial / EMBEDDING,
                vector=take.embedding.astype(np.float32),
                embedder=np.array(take.embedder),
                cover_sha256=np.array(take.cover_sha256),
            )
            sync_directory(partial / EMBEDDING)
        if take.audio.midi is not None:
            write_synced(partial / MIDI, take.audio.midi)
        _write_stems(take.audio, partial / STEMS)
        document = json.dumps(take.document(), ensure_ascii=False, indent=2)
        write_synced(partial / RESULT, document.encode())
        sync_directory(partial)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)
    sync_directory(folder.parent)
    return folder


def _write_stems(audio: Audio, folder: Path) -> None:
    if not audio.stems:
        return
    # Imported here: who reads results has no need of libsndfile.
    import soundfile

    folder.mkdir()
    for name, sound in audio.stems.items():
        path = folder / f"{name}.flac"
        soundfile.write(path, sound.T, audio.sample_rate, subtype="PCM_24")
        sync_directory(path)
    sync_directory(folder)


def refuse_foreign_folder(folder: Path) -> None:
    """Raise ForeignFolderError if `folder` is there and is anything but a whole take."""
    if _is_there(folder) and not (_holds_a_take_at_most(folder) and _is_take_document(folder)):
        raise ForeignFolderError(folder)


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _holds_a_take_at_most(folder: Path) -> bool:
    """Whether `folder` is a folder in which every file is one of a take's."""
    if not folder.is_dir() or folder.is_symlink():
        return False
    files = [path for path in folder.rglob("*") if path != folder / STEMS]
    return all(
        path.is_file() and (path.name in _FILES if path.parent == folder else path.suffix == ".flac")
        for path in files
    )


def _is_take_document(folder: Path) -> bool:
    try:
        document = read_document(folder)
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and {"schema", "attributes", "files"} <= document.keys()


def is_whole(folder: Path) -> bool:
    """Whether `folder` holds a finished result."""
    return (folder / RESULT).is_file()


def read_document(folder: Path) -> dict[str, Any]:
    """The result.json of a finished folder. Raises OSError or ValueError when it is not there or broken."""
    document: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    if "album" not in document:
        # Earlier versions put the album whose cover it is among its own neighbours.
        near = document.get("neighbours") or []
        same = bool(near) and near[0]["distance"] <= SAME_COVER
        document["album"] = near[0] if same else None
        document["neighbours"] = near[1:] if same else near
    return document


def read_tokens(folder: Path) -> np.ndarray[Any, np.dtype[np.int16]] | None:
    """The codec tokens kept beside a clip, int16 (codebooks, frames), or None."""
    path = folder / TOKENS
    if not path.is_file():
        return None
    with np.load(path) as archive:
        tokens: np.ndarray[Any, np.dtype[np.int16]] = archive["tokens"].astype(np.int16)
    return tokens


def exact_cover_path(folder: Path) -> Path | None:
    """The cover of a take as it was read, without loss; None for takes that kept only the JPEG (schema 1)."""
    path = folder / EXACT_COVER
    return path if path.is_file() else None


def read_embedding(folder: Path, cover_sha256: str, embedder: str) -> NDArray[np.float32] | None:
    """The vector (512,) that a take's cover was found with.

    None where none was kept, or it is of another cover or in another space than asked for.
    """
    try:
        with np.load(folder / EMBEDDING, allow_pickle=False) as saved:
            if (str(saved["cover_sha256"]), str(saved["embedder"])) != (cover_sha256, embedder):
                return None
            vector: NDArray[np.float32] = saved["vector"].astype(np.float32)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return vector
