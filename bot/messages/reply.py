"""What a message is to say, before it is known how it will be sent."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiofiles
import discord


@dataclass(frozen=True, slots=True)
class ReplyFile:
    """A file to attach: its name in Discord, its bytes or where they lie, and words for who cannot see it."""

    name: str
    source: Path | bytes
    description: str | None = None

    async def read(self) -> bytes:
        """The bytes. Raises OSError where the file is gone."""
        if isinstance(self.source, bytes):
            return self.source
        async with aiofiles.open(self.source, "rb") as file:
            return await file.read()


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole message; sending it twice gives the same message.

    Attributes:
        content: text above the embeds, at most 2000 characters; None for none.
        embeds: at most 10.
        files: attachments. What an embed names as attachment://… does not appear in the message's list.
        view: buttons, all of them DynamicItems so that they outlive this process.
    """

    content: str | None = None
    embeds: Sequence[discord.Embed] = ()
    files: Sequence[ReplyFile] = ()
    view: discord.ui.View | None = field(default=None)

    async def loaded(self) -> Reply:
        """The same with every file in memory, so that each attempt can send it anew."""
        files = [replace(file, source=await file.read()) for file in self.files]
        return replace(self, files=files)

    def attachments(self) -> list[discord.File]:
        """Fresh uploads of a loaded reply's files (discord.py closes them after each request)."""
        return [
            discord.File(io.BytesIO(file.source), file.name, description=file.description)
            for file in self.files
            if isinstance(file.source, bytes)
        ]

    @property
    def size(self) -> int:
        """Bytes of a loaded reply's files."""
        return sum(len(file.source) for file in self.files if isinstance(file.source, bytes))
