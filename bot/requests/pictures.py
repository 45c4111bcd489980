"""A picture that somebody sent: found in a message, fetched from Discord's CDN and nowhere else, checked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import discord

from albumgen_core.cover.errors import refusal
from albumgen_core.cover.read import MAX_COVER_BYTES, read_cover_async
from bot.messages.errors import Refusal

log = logging.getLogger(__name__)

HOSTS = frozenset(
    {
        "cdn.discordapp.com",
        "media.discordapp.net",
        "images-ext-1.discordapp.net",
        "images-ext-2.discordapp.net",
    }
)
"""Discord's own: uploads, and its copies of pictures that a message's link shows."""

_TIMEOUT = aiohttp.ClientTimeout(total=25, sock_connect=8, sock_read=10)
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture on Discord's CDN.

    Attributes:
        url: where. size: in bytes as Discord tells it, 0 where it does not.
        content_type: as Discord tells it, from the name alone: a hint, never proof.
    """

    url: str
    size: int = 0
    content_type: str | None = None

    @classmethod
    def of(cls, attachment: discord.Attachment) -> Picture:
        """From an attachment."""
        return cls(attachment.url, attachment.size, attachment.content_type)

    def check_size(self) -> None:
        """Refuse what is certainly too large, before any work. Raises CoverError."""
        if self.size > MAX_COVER_BYTES:
            raise refusal(
                "too_large_bytes",
                megabytes=f"{self.size / 2**20:.1f}",
                limit=f"{MAX_COVER_BYTES / 2**20:.3g}",
            )


def picture_in(message: discord.Message) -> tuple[Picture, Sequence[str]] | None:
    """The first picture of a message: attached, in a forwarded message, or shown by an embed.

    With it what is to be said of the choice (see `Requests.submit`): whether there were others.
    """
    pictures = _pictures_in(message)
    return (pictures[0], ("note.first_of_several",) if len(pictures) > 1 else ()) if pictures else None


def _pictures_in(message: discord.Message) -> list[Picture]:
    attachments = list(message.attachments)
    for snapshot in message.message_snapshots:
        attachments += snapshot.attachments
    found = [Picture.of(each) for each in attachments if (each.content_type or "").startswith("image/")]
    for embed in message.embeds:
        for shown in (embed.image, embed.thumbnail):
            url = next((url for url in (shown.proxy_url, shown.url) if url and is_discords(url)), None)
            if url is not None and not any(url == picture.url for picture in found):
                found.append(Picture(url))
                break
    return found


def is_discords(url: str) -> bool:
    """Whether an address is HTTPS on one of `HOSTS`, without a port or user of its own."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and parts.netloc.lower() in HOSTS
    except ValueError:
        return False


async def fetch_picture(session: aiohttp.ClientSession, picture: Picture) -> bytes:
    """The file's bytes, at most MAX_COVER_BYTES of them; redirects are not followed.

    Raises CoverError when there are more, Refusal when it cannot be had.
    """
    if not is_discords(picture.url):
        raise Refusal("refusal.picture_elsewhere")
    picture.check_size()
    for attempt in range(_TRIES):
        try:
            async with session.get(picture.url, allow_redirects=False, timeout=_TIMEOUT) as response:
                if response.status == 200:
                    return await _capped(response)
                if response.status < 500 and response.status != 429:
                    break
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.info("a picture could not be fetched (%s)", type(error).__name__)
        await asyncio.sleep(0.3 * 3**attempt)
    raise Refusal("refusal.picture_unreachable")


async def fetch_cover(session: aiohttp.ClientSession, picture: Picture) -> bytes:
    """Fetch and check; returns the checked cover as a PNG that keeps the original's digest.

    Raises CoverError, Refusal.
    """
    return await checked_cover(await fetch_picture(session, picture))


async def checked_cover(data: bytes) -> bytes:
    """Check a picture's bytes; returns the cover as a PNG that keeps their digest. Raises CoverError."""
    cover = await read_cover_async(data)
    return await asyncio.to_thread(cover.to_png)


async def _capped(response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        data += chunk
        if len(data) > MAX_COVER_BYTES:
            raise refusal(
                "too_large_bytes",
                megabytes=f"{max(len(data), response.content_length or 0) / 2**20:.1f}",
                limit=f"{MAX_COVER_BYTES / 2**20:.3g}",
            )
    return bytes(data)
