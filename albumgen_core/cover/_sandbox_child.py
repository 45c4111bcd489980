"""The process that decodes a member's picture: started for one picture, under limits, and thrown away.

It runs as a script under `python -I -S -B`, so it starts in a few hundredths of a second, sees no
environment and imports nothing but Pillow and the one plugin it needs. Arguments: the folder that holds
PIL, the kind of picture, then in whole numbers the most pixels, the longest side wanted, bytes of
memory, seconds of CPU and seconds by the clock. The picture comes through standard input. The answer
goes to standard output: `ok WIDTH HEIGHT` and a line feed, then the pixels as RGB, three bytes each; or
`no CODE WIDTH HEIGHT DETAIL`, where CODE is one of `albumgen_core.errors.COVER_MESSAGES`.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import warnings
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from PIL import Image, ImageFile

MAX_PROFILE_BYTES = 2 * 2**20
ORIENTATION = 0x0112
LIGHT_EDGE = 170
"""Luma above which an edge is seen better on black than on white."""


def main() -> None:
    """Decode what comes through standard input and exit."""
    pillow, kind, *numbers = sys.argv[1:]
    max_pixels, max_side, memory, cpu, wall = map(int, numbers)
    sys.path.insert(0, pillow)
    # Nothing that a library prints may mix with the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    warnings.simplefilter("ignore")
    from PIL import Image

    reader = _reader(kind)
    _limit(memory, cpu, wall)
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        picture = _decode(reader, sys.stdin.buffer.read(), max_pixels, max_side)
        reply = b"ok %d %d\n" % picture.size + picture.tobytes()
    except _RefusedError as refused:
        reply = b"no %s %d %d\n" % (refused.code.encode("ascii"), refused.width, refused.height)
    except (MemoryError, Image.DecompressionBombError) as error:
        reply = b"no too_much_memory 0 0 " + _brief(error)
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        reply = b"no %s 0 0 " % _code_of(error) + _brief(error)
    with contextlib.suppress(BrokenPipeError):
        answer.write(reply)
        answer.flush()
    # Without clean-up: the process ends now, and its memory with it.
    os._exit(0)


class _RefusedError(Exception):
    def __init__(self, code: str, width: int = 0, height: int = 0) -> None:
        super().__init__(code)
        self.code, self.width, self.height = code, width, height


def _reader(kind: str) -> type[ImageFile.ImageFile]:
    """The one plugin that may read this picture. An MPO is read as the JPEG that it begins with."""
    if kind == "png":
        from PIL.PngImagePlugin import PngImageFile

        return PngImageFile
    if kind == "jpeg":
        from PIL.JpegImagePlugin import JpegImageFile

        return JpegImageFile
    if kind == "webp":
        from PIL.WebPImagePlugin import WebPImageFile

        return WebPImageFile
    from PIL.GifImagePlugin import GifImageFile

    return GifImageFile


def _limit(memory: int, cpu: int, wall: int) -> None:
    """Bound memory, time, files and processes. Where the system knows no such limits, the parent's clock
    alone remains."""
    try:
        import resource
    except ImportError:
        return
    limits = [
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_NOFILE, 32, 32),
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_AS, memory, memory),
    ]
    if hasattr(resource, "RLIMIT_NPROC"):
        limits.append((resource.RLIMIT_NPROC, 0, 0))
    for which, soft, hard in limits:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(which, (soft, hard))
    # Should the parent die first, nobody else would end a decoder that sleeps.
    signal.alarm(wall + 1)


def _decode(reader: type[ImageFile.ImageFile], data: bytes, max_pixels: int, max_side: int) -> Image.Image:
    from PIL import Image

    file: BinaryIO = io.BytesIO(data)
    picture = reader(file)
    if picture.width * picture.height > max_pixels:
        raise _RefusedError("too_many_pixels", *picture.size)
    # A JPEG decodes at a half, a quarter or an eighth for the asking, and never below what we want.
    picture.draft(None, (max_side, max_side))
    picture.load()
    small = _eight_bits(picture)
    small.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return _upright(_to_srgb(_on_backdrop(small), picture.info.get("icc_profile")), picture)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """In a mode with eight bits a channel that can be scaled: L, RGB, CMYK or RGBA."""
    if picture.mode.startswith("I"):
        # Pillow's own conversion clips 16 bits at 255, which would whiten the whole picture.
        deep = picture.convert("I").point(lambda value: value / 256)
        deep.info.pop("transparency", None)
        return deep.convert("L")
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture.copy() if picture.mode in ("L", "RGB", "CMYK") else picture.convert("RGB")


def _on_backdrop(picture: Image.Image) -> Image.Image:
    """Lay a transparent picture on white, or on black where what borders the transparency is light.

    A white logo would vanish on white. The colours of fully transparent pixels are arbitrary, so they must
    not be seen.
    """
    if picture.mode != "RGBA":
        return picture
    from PIL import Image

    alpha = picture.getchannel("A")
    if alpha.getextrema()[1] == 0:
        raise _RefusedError("transparent")
    backdrop = Image.new("RGB", picture.size, "black" if _edge_luma(picture, alpha) > LIGHT_EDGE else "white")
    backdrop.paste(picture, mask=alpha)
    return backdrop


def _edge_luma(picture: Image.Image, alpha: Image.Image) -> float:
    """Mean luma, 0 to 255, of the visible pixels beside transparent ones; of all visible ones without any."""
    from PIL import ImageChops, ImageFilter, ImageStat

    # Scaling leaves faint pixels whose colours are rounded; what is seen clearly counts.
    clear = alpha.point(lambda value: 255 if value >= 128 else 0)
    edges = ImageChops.subtract(clear, alpha.filter(ImageFilter.MinFilter(3)).point(lambda value: 2 * value))
    mask = next((each for each in (edges, clear) if each.getbbox()), alpha)
    return ImageStat.Stat(picture.convert("L"), mask).mean[0]


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours as the picture's ICC profile means them; without a profile that fits, as they stand."""
    if profile and len(profile) <= MAX_PROFILE_BYTES:
        # A picture with a broken profile is still a picture.
        with contextlib.suppress(Exception):
            from PIL import ImageCms

            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[source.profile.xcolor_space.strip()]
            if mode == picture.mode or (picture.mode == "L" and mode == "RGB"):
                managed = ImageCms.profileToProfile(
                    picture if picture.mode == mode else picture.convert(mode),
                    source,
                    ImageCms.createProfile("sRGB"),
                    outputMode="RGB",
                )
                if managed is not None:
                    return managed
    return picture.convert("RGB")


def _upright(picture: Image.Image, source: Image.Image) -> Image.Image:
    """Turn the picture as its EXIF orientation says."""
    from PIL import Image

    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    # Broken EXIF data is as good as none.
    with contextlib.suppress(Exception):
        turn = turns.get(int(source.getexif().get(ORIENTATION, 1)))
        if turn is not None:
            return picture.transpose(turn)
    return picture


def _code_of(error: Exception) -> bytes:
    text = str(error).lower()
    if "out of memory" in text:
        return b"too_much_memory"
    return b"truncated" if isinstance(error, EOFError) or "truncated" in text else b"damaged"


def _brief(error: BaseException) -> bytes:
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:200].encode("utf-8", "replace")


if __name__ == "__main__":
    main()
