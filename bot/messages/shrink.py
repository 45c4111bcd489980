"""Make a reply smaller when Discord finds it too large: a lower bit rate first, then without the card."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg

from bot.i18n.catalogue import text
from bot.messages.reply import Reply, ReplyFile

_RATES = ("96k", "48k")
"""Bit rates of the first and second try; MusicGen's sound is mono at 32 kHz, for which 48 still serve."""


SHRINK_STEPS = len(_RATES) + 2
"""Steps that `shrunk` knows; after the last no file is left."""


async def shrunk(reply: Reply, step: int, locale: str) -> Reply:
    """A smaller loaded reply: steps 0 and 1 lower the MP3's bit rate, 2 leaves the pictures out, 3 all files.

    Raises OSError when ffmpeg cannot be run.
    """
    if step < len(_RATES):
        files = [
            ReplyFile(file.name, await _encoded(await file.read(), _RATES[step]))
            if file.name.endswith(".mp3")
            else file
            for file in reply.files
        ]
        return replace(reply, files=files)
    if step == len(_RATES):
        return replace(_without_pictures(reply), files=[f for f in reply.files if f.name.endswith(".mp3")])
    words = text(locale, "delivery.too_large")
    content = f"{reply.content}\n{words}" if reply.content else words
    return replace(_without_pictures(reply), files=[], content=content)


def _without_pictures(reply: Reply) -> Reply:
    embeds = [embed.copy() for embed in reply.embeds]
    for embed in embeds:
        embed.set_image(url=None).set_thumbnail(url=None)
    return replace(reply, embeds=embeds)


async def _encoded(mp3: bytes, rate: str) -> bytes:
    """The MP3 at another bit rate, tags kept, pictures in them left out."""
    with tempfile.TemporaryDirectory(prefix="albumgen-") as folder:
        source, target = Path(folder) / "in.mp3", Path(folder) / "out.mp3"
        await asyncio.to_thread(source.write_bytes, mp3)
        process = await asyncio.create_subprocess_exec(
            imageio_ffmpeg.get_ffmpeg_exe(),
            *("-nostdin", "-loglevel", "error", "-i", str(source), "-map", "0:a"),
            *("-codec:a", "libmp3lame", "-b:a", rate, str(target)),
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            if await process.wait() != 0:
                return mp3
        finally:
            if process.returncode is None:
                process.kill()
        smaller = await asyncio.to_thread(target.read_bytes)
        return smaller if len(smaller) < len(mp3) else mp3
