"""Replies that are owed reach their readers: exactly once, whatever Discord or the network do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from albumgen_core.inference.records import JobRecord
from bot.reply import Reply, ReplyFile

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

__all__ = ["Delivery", "Renderer", "Reply", "ReplyFile"]


class Renderer(Protocol):
    """Turns ended jobs into a message."""

    async def render(self, bot: AlbumGenBot, records: Sequence[JobRecord], locale: str) -> Reply:
        """The message for these jobs, whatever became of them (done, failed, cancelled)."""
        ...


DeliveredHook = Callable[[Sequence[JobRecord], int, int], Awaitable[None]]
"""(records, channel id, message id), after a reply has reached its reader."""


class Delivery:
    """The outbox's loop. Renderers are registered by `origin["kind"]`."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot
        self.renderers: dict[str, Renderer] = {}
        self.hooks: list[DeliveredHook] = []

    def register(self, kind: str, renderer: Renderer) -> None:
        """Let `renderer` write the replies of jobs whose origin has this kind."""
        self.renderers[kind] = renderer

    def on_delivered(self, hook: DeliveredHook) -> None:
        """Call `hook(records, channel_id, message_id)` after each delivery."""
        self.hooks.append(hook)

    def start(self) -> None:
        """Begin delivering."""

    async def close(self) -> None:
        """Stop; what is owed stays in the journal."""
