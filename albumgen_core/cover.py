"""Hostile bytes in, a safe cover out."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from albumgen_core.errors import AlbumGenError


class CoverError(AlbumGenError):
    """A picture was refused; the message is one sentence a member understands."""


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """A picture that is safe to work with.

    Attributes:
        image: RGB, upright, at most 640 pixels a side.
        sha256: hex digest of the bytes it was read from.
    """

    image: Image.Image
    sha256: str


def read_cover(data: bytes) -> Cover:
    """Decode untrusted bytes in a limited child process. Raises CoverError."""
    raise NotImplementedError
