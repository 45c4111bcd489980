"""What a clip says about itself: ID3v2.3 for MP3, Vorbis comments for Ogg."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

import mutagen.id3

from albumgen_core.attributes.predicted import Mode
from albumgen_core.version import __version__

# mutagen's frames carry annotations in part only, which a strict checker refuses.
_id3: Any = mutagen.id3

ENCODER = f"AlbumGen {__version__}"
MAX_TITLE = 200
MAX_PROMPT = 20_000
"""Longest title and prompt in characters; what is longer ends in an ellipsis."""

# Everything that ends a line, hides text, turns its direction or ends an ID3 string.
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]+"
)


@dataclass(frozen=True, slots=True)
class ClipTags:
    """What is written into a clip. Texts may hold anything: they are made harmless on the way.

    Attributes:
        title: shown by players.
        engine: family of models; the artist reads "AlbumGen (neural)".
        genre: as predicted.
        tempo: beats a minute; written as a whole number.
        key: "C" … "B" with "#"; mode: "minor" is written as "Am", the other two as "A".
        cover_jpeg: the cover as a JPEG, or None.
        prompt, seed: what the clip was composed from; together they are the comment.
        album: artist and title that the cover reads, "" where nobody was recognised.
    """

    title: str
    engine: str
    genre: str
    tempo: float
    key: str
    mode: Mode | None
    cover_jpeg: bytes | None
    prompt: str
    seed: int
    album: str = ""

    @property
    def artist(self) -> str:
        """The artist shown by players."""
        return f"AlbumGen ({_line(self.engine, 40)})"

    @property
    def initial_key(self) -> str:
        """The key as ID3's TKEY has it, three characters at the most: "A", "C#", "F#m"."""
        return _line(self.key, 2) + ("m" if self.mode == "minor" else "")

    @property
    def comment(self) -> str:
        """Prompt and seed."""
        return f"{_line(self.prompt, MAX_PROMPT)} (seed {self.seed})".lstrip()

    def to_id3(self, *, with_cover: bool = True) -> bytes:
        """An ID3v2.3 tag, to stand before the first frame of an MP3."""
        tag = _id3.ID3()
        text = {"encoding": _id3.Encoding.UTF16}  # the only Unicode that ID3v2.3 knows
        tag.add(_id3.TIT2(**text, text=_line(self.title, MAX_TITLE) or "AlbumGen"))
        tag.add(_id3.TPE1(**text, text=self.artist))
        if album := _line(self.album, MAX_TITLE):
            tag.add(_id3.TALB(**text, text=album))
        tag.add(_id3.TCON(**text, text=_line(self.genre, MAX_TITLE)))
        tag.add(_id3.TBPM(**text, text=str(round(self.tempo))))
        tag.add(_id3.TKEY(**text, text=self.initial_key))
        tag.add(_id3.TSSE(**text, text=ENCODER))
        tag.add(_id3.COMM(**text, lang="eng", desc="", text=self.comment))
        if with_cover and self.cover_jpeg:
            tag.add(
                _id3.APIC(
                    # Explorer and older players fail to show a picture described in UTF-16.
                    encoding=_id3.Encoding.LATIN1,
                    mime="image/jpeg",
                    type=_id3.PictureType.COVER_FRONT,
                    desc="Cover",
                    data=self.cover_jpeg,
                )
            )
        buffer = io.BytesIO()
        tag.save(buffer, v1=0, v2_version=3, padding=lambda _info: 0)
        return buffer.getvalue()

    def to_vorbis(self) -> dict[str, str]:
        """As Vorbis comments, without empty ones."""
        fields = {
            "title": _line(self.title, MAX_TITLE) or "AlbumGen",
            "artist": self.artist,
            "album": _line(self.album, MAX_TITLE),
            "genre": _line(self.genre, MAX_TITLE),
            "description": self.comment,
            "encoder": ENCODER,
        }
        return {name: text for name, text in fields.items() if text}


def _line(text: str, longest: int) -> str:
    """One line of visible, encodable characters, cut to `longest`."""
    encodable = text[: 4 * longest].encode("utf-8", "replace").decode("utf-8")
    line = " ".join(_UNSEEN.sub(" ", encodable).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"
