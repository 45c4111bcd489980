"""Covers from the operator's own disk.

What members send goes through `cover.read_cover`, in a child process with limits. A collection of tens
of thousands of files that the operator chose is decoded here, in this process and its threads: the
formats and the pixels are limited, but a decoder that hangs or crashes would take the build with it.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

from PIL import Image, ImageOps

from albumgen_core.cover.read import Cover
from albumgen_core.errors import CoverError

MAX_SIDE = 640
MAX_BYTES = 32 * 2**20
MAX_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")


def load_cover(path: Path) -> Cover:
    """Read a cover file: RGB, upright, at most 640 pixels a side. Raises CoverError."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CoverError(f"the file is larger than {MAX_BYTES // 2**20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise CoverError(f"the file cannot be read ({error.strerror or error})") from error
    return Cover(decode_picture(data), hashlib.sha256(data).hexdigest())


def decode_picture(data: bytes) -> Image.Image:
    """Bytes of a picture as upright RGB of at most 640 pixels a side. Raises CoverError."""
    if not data:
        raise CoverError("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
            if picture.width * picture.height > MAX_PIXELS:
                raise CoverError(f"the picture has more than {MAX_PIXELS // 10**6} million pixels")
            # A JPEG decodes at half or quarter size for the asking; never below the size we want.
            picture.draft("RGB", (MAX_SIDE, MAX_SIDE))
            picture.load()
    except CoverError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise CoverError(f"the picture cannot be decoded ({_brief(error)})") from error
    return _upright_rgb(picture)


def _upright_rgb(picture: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I"):
        # 16 bits a pixel: Pillow's own conversion clips at 255, which would whiten the whole picture.
        upright = upright.convert("I").point(lambda value: value / 256).convert("L")
    if upright.has_transparency_data:
        # Transparent pixels carry arbitrary colours; white is what a page would show behind them.
        rgba = upright.convert("RGBA")
        upright = Image.new("RGB", rgba.size, "white")
        upright.paste(rgba, mask=rgba.getchannel("A"))
    rgb = upright.convert("RGB")
    rgb.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return rgb


def _brief(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].replace("<_io.BytesIO object at ", "<")[:120]
