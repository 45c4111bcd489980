"""Hostile bytes in, a safe cover out.

A member's picture is judged by its content alone, never by its name: PNG, JPEG (multi-picture files
too), WebP or GIF, of which the first frame counts. Size in bytes, in pixels and in scans is checked
before anything is decoded; decoding happens in a child process with limits on memory and time; and only
pixels come back, so whatever else the file carried is gone.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, PngImagePlugin

from albumgen_core.cover.errors import refusal
from albumgen_core.cover.header import PictureKind, other_kind, picture_kind, pixel_size, scan_count
from albumgen_core.cover.sandbox import DecodingChild
from albumgen_core.errors import COVER_MESSAGES, CoverError

__all__ = [
    "COVER_MESSAGES",
    "MAX_COVER_BYTES",
    "MAX_SIDE",
    "Cover",
    "CoverError",
    "CoverLimits",
    "load_checked_cover",
    "read_cover",
    "read_cover_async",
]

MAX_COVER_BYTES = 10 * 2**20
"""Most bytes of a cover: what a member without a subscription may upload to Discord (10 MiB)."""

MAX_SIDE = 640
"""Longest side of a checked cover in pixels: the size of the album covers in Spotify's catalogue."""

_SHA256_KEY = "AlbumGen SHA-256"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_STORED_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class CoverLimits:
    """What a picture may cost.

    Attributes:
        max_bytes: of the file.
        max_pixels: width × height, as the header claims and as the decoder finds.
        max_scans: passes of a JPEG over the whole picture; usual progressive files have 3 to 15, and
            a file of a few kilobytes with thousands of them keeps a processor busy for minutes.
        memory_bytes: address space of the decoding process (Linux; other systems may not enforce it).
        cpu_seconds: processor time of the decoding process, in whole seconds.
        wall_seconds: time by the clock until the decoding process is ended.
    """

    max_bytes: int = MAX_COVER_BYTES
    max_pixels: int = 40_000_000
    max_scans: int = 64
    memory_bytes: int = 2**30
    cpu_seconds: int = 6
    wall_seconds: float = 15.0


_DEFAULT_LIMITS = CoverLimits()


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """A picture that is safe to work with.

    Attributes:
        image: RGB, upright, at most 640 pixels a side.
        sha256: hex digest of the bytes it was read from.
    """

    image: Image.Image
    sha256: str

    def to_png(self) -> bytes:
        """As a PNG without loss, which `load_checked_cover` turns into an equal Cover, digest included."""
        note = PngImagePlugin.PngInfo()
        note.add_text(_SHA256_KEY, self.sha256)
        buffer = io.BytesIO()
        _bare(self.image).save(buffer, "PNG", pnginfo=note, compress_level=3)
        return buffer.getvalue()

    def to_jpeg(self, quality: int = 90) -> bytes:
        """As a JPEG for showing and for tags; `quality` from 1 to 95."""
        buffer = io.BytesIO()
        _bare(self.image).save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()


def read_cover(data: bytes, limits: CoverLimits = _DEFAULT_LIMITS) -> Cover:
    """Decode untrusted bytes in a limited child process; blocks for about a tenth of a second.

    The aspect is kept (Lanczos) and nothing is enlarged. Transparency is laid on white, or on black
    where the edges of what can be seen are light; CMYK and colours
    with an ICC profile become sRGB. Raises CoverError.
    """
    image = _child_for(data, limits).run(data)
    return Cover(image, hashlib.sha256(data).hexdigest())


async def read_cover_async(data: bytes, limits: CoverLimits = _DEFAULT_LIMITS) -> Cover:
    """`read_cover` for an event loop, which it never blocks; cancelling it ends the child at once.

    At most two pictures are decoded at the same time, so that a flood of them waits instead of filling
    the machine's memory. Raises CoverError.
    """
    loop = asyncio.get_running_loop()
    child = await loop.run_in_executor(_threads, _child_for, data, limits)
    work = loop.run_in_executor(_threads, child.run, data)
    try:
        image = await work
    except asyncio.CancelledError:
        # The thread ends with its child.
        child.kill()
        raise
    sha256 = await loop.run_in_executor(_threads, _digest, data)
    return Cover(image, sha256)


def load_checked_cover(path: Path) -> Cover:
    """Load a cover that `Cover.to_png` (or `to_jpeg`) wrote: quick, in this process, validated still.

    A JPEG keeps no digest of the original, so the cover's is that of the file. Raises CoverError, with
    code "gone" where there is no such file and "stored_damaged" for anything but such a picture.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_STORED_BYTES + 1)
    except OSError as error:
        raise refusal("gone") from error
    kind = picture_kind(data)
    size = pixel_size(data, kind) if kind in ("png", "jpeg") else None
    if len(data) > _MAX_STORED_BYTES or size is None or max(size) > MAX_SIDE or min(size) < 1:
        raise refusal("stored_damaged")
    try:
        image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
        image.load()
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise refusal("stored_damaged") from error
    if image.mode != "RGB":
        raise refusal("stored_damaged")
    noted = str(image.info.get(_SHA256_KEY, ""))
    sha256 = noted if _SHA256.fullmatch(noted) else hashlib.sha256(data).hexdigest()
    return Cover(_bare(image), sha256)


def _child_for(data: bytes, limits: CoverLimits) -> DecodingChild:
    """Check all that can be checked without decoding. Raises CoverError."""
    kind = _checked_kind(data, limits)
    return DecodingChild(
        kind,
        max_pixels=limits.max_pixels,
        max_side=MAX_SIDE,
        memory_bytes=limits.memory_bytes,
        cpu_seconds=limits.cpu_seconds,
        wall_seconds=limits.wall_seconds,
    )


def _checked_kind(data: bytes, limits: CoverLimits) -> PictureKind:
    if not data:
        raise refusal("empty")
    if len(data) > limits.max_bytes:
        raise refusal(
            "too_large_bytes",
            megabytes=f"{len(data) / 2**20:.1f}",
            limit=f"{limits.max_bytes / 2**20:.3g}",
        )
    kind = picture_kind(data)
    if kind is None:
        code, name = other_kind(data)
        raise refusal(code, format=name) if name else refusal(code)
    size = pixel_size(data, kind)
    if size is not None and size[0] * size[1] > limits.max_pixels:
        raise refusal("too_many_pixels", width=size[0], height=size[1], limit=limits.max_pixels // 10**6)
    if kind == "jpeg" and (scans := scan_count(data)) > limits.max_scans:
        raise refusal("too_many_scans", scans=scans, limit=limits.max_scans)
    return kind


def _bare(image: Image.Image) -> Image.Image:
    """The pixels alone: Pillow writes what it finds in `info` into some formats."""
    bare = image.convert("RGB") if image.mode != "RGB" else image.copy()
    bare.info = {}
    return bare


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _new_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix="cover")


_threads = _new_threads()


def _after_fork() -> None:
    # Threads do not survive a fork; an executor that believes in them would wait for ever.
    global _threads
    _threads = _new_threads()


_register: Callable[..., None] | None = getattr(os, "register_at_fork", None)
if _register is not None:
    _register(after_in_child=_after_fork)
