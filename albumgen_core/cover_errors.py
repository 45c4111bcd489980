"""Why a picture is refused: one code, one sentence and its numbers for each reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from albumgen_core.errors import AlbumGenError

COVER_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "empty": "This file is empty; please send the picture again.",
        "too_large_bytes": (
            "This file has {megabytes} MB, more than the {limit} MB that a cover may have; "
            "please send a smaller copy."
        ),
        "too_many_pixels": (
            "This picture has {width} × {height} pixels, more than the {limit} million that a cover may "
            "have; please send a smaller copy."
        ),
        "svg": "SVG drawings cannot be read here; please save the cover as PNG and send that.",
        "other_format": (
            "{format} pictures cannot be read here; please save the cover as PNG, JPEG, WebP or GIF."
        ),
        "web_page": "This is a web page, not a picture; please save the picture itself and send that.",
        "pdf": "This is a PDF document; please save the cover in it as a PNG or JPEG picture.",
        "archive": "This is an archive; please unpack it and send the cover picture itself.",
        "audio_or_video": "This is a sound or a film; please send the album's cover as a picture.",
        "not_a_picture": "This is not a picture; please send the cover as PNG, JPEG, WebP or GIF.",
        "truncated": "The end of this picture is missing; please download it again and send it once more.",
        "damaged": "This picture is damaged; please open it, save a fresh copy as PNG and send that.",
        "transparent": (
            "This picture is completely transparent, so there is nothing to see; please send another."
        ),
        "too_many_scans": (
            "This JPEG is stored in {scans} passes, more than the {limit} that are read here; "
            "please save it as an ordinary JPEG or PNG."
        ),
        "too_slow": "This picture takes too long to read; please save it as an ordinary PNG or JPEG.",
        "too_much_memory": "This picture needs too much memory to read; please send a smaller copy.",
        "crashed": "This picture could not be read; please save a fresh copy as PNG and send that.",
        "unavailable": "Pictures cannot be read just now; please try again in a few minutes.",
        "gone": "The cover of this clip is no longer kept; please send the picture again.",
        "stored_damaged": "The stored cover of this clip is damaged; please send the picture again.",
    }
)
"""Every code with its English sentence, in `str.format` style over `CoverError.params`."""


class CoverError(AlbumGenError):
    """A picture was refused; the message is one sentence a member understands, with what to do.

    Attributes:
        code: why, as a stable word for catalogues of translations: a key of `COVER_MESSAGES`, or
            "unreadable" where only a message was given.
        params: the values that the sentence names: plain strings and numbers.
    """

    def __init__(
        self, message: str, *, code: str = "unreadable", params: Mapping[str, str | int] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.params: Mapping[str, str | int] = dict(params or {})

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions pickle by their positional arguments; keyword-only ones would be lost.
        return (_rebuild, (str(self), self.code, dict(self.params)))


def refusal(code: str, **params: str | int) -> CoverError:
    """The CoverError of a code. Raises KeyError for a code, or a parameter, that is not known."""
    return CoverError(COVER_MESSAGES[code].format(**params), code=code, params=params)


def _rebuild(message: str, code: str, params: Mapping[str, str | int]) -> CoverError:
    return CoverError(message, code=code, params=params)
