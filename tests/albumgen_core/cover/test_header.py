"""What a picture's first bytes tell."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from albumgen_core.cover.header import is_animated

COLOURS = ("red", "green", "blue")


def encoded(kind: str, frames: int, **options: Any) -> bytes:
    pictures = [Image.new("RGB", (40, 30), colour) for colour in COLOURS[:frames]]
    target = io.BytesIO()
    if kind != "JPEG":
        options |= {"save_all": True, "append_images": pictures[1:]}
    pictures[0].save(target, kind, **options)
    return target.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_more_than_one_frame_is_an_animation(kind: str) -> None:
    assert is_animated(encoded(kind, 3))
    assert not is_animated(encoded(kind, 1))


def test_a_gif_that_does_not_loop_and_one_with_a_comment_are_told_apart_too() -> None:
    assert is_animated(encoded("GIF", 2, loop=None))
    assert not is_animated(encoded("GIF", 1, comment=b"," * 600))


def test_a_jpeg_is_never_one() -> None:
    assert not is_animated(encoded("JPEG", 1))


@given(st.binary(max_size=200), st.sampled_from([b"GIF89a", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b""]))
def test_any_bytes_get_an_answer(data: bytes, start: bytes) -> None:
    assert is_animated(start + data) in (True, False)
