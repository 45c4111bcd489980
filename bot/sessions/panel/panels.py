"""Keeps each session's panel true and at the bottom of its channel, with few edits.

A change marks the panel; it is drawn again when the pause since the last edit is over, so that a burst of
votes is one edit. The picture is drawn and sent anew only when what it shows has changed. Where others have
written below, the panel is sent again and the old one deleted, not more often than every few seconds.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import io
import logging
import time
from typing import Any

import aiohttp
import discord

from albumgen_core.errors import InferenceError
from bot.messages.errors import Refusal
from bot.messages.http_errors import ErrorKind, classify
from bot.sessions.background import BackgroundTasks
from bot.sessions.lifecycle.manager import SessionManager
from bot.sessions.panel.buttons import panel_buttons
from bot.sessions.panel.content import (
    PICTURE_NAME,
    PanelContent,
    panel_content,
    panel_embed,
    picture_of,
    status_line,
)
from bot.sessions.panel.picture import PanelPicture, draw_in_child
from bot.sessions.playback.view import PlaybackStatus, SessionView
from bot.sessions.results import read_result
from bot.sessions.state.model import Session

log = logging.getLogger(__name__)

EDITS_APART = 2.0
"""Seconds between two edits of a panel, well below Discord's five in five seconds a channel."""

_MOVES_APART = 12.0
"""Seconds between two times that a panel is sent again to be at the bottom."""

_OLD = datetime.timedelta(minutes=50)
"""Discord allows few edits of messages older than an hour (its error 30046): a panel is sent anew before."""

_NO_ENTRY_PAUSE = 300.0
_RETRY_PAUSE = 10.0


class SessionPanels:
    """The panels of all running sessions.

    Attributes:
        edits_apart, moves_apart: seconds between two edits, and between two times that it is sent anew.
        retry_pause: seconds until what failed is tried again. Tests shorten all three.
        renewed: see `anew`.
    """

    def __init__(self, client: discord.Client, sessions: SessionManager) -> None:
        self.client, self.sessions = client, sessions
        self.edits_apart, self.moves_apart, self.retry_pause = EDITS_APART, _MOVES_APART, _RETRY_PAUSE
        self.renewed: set[str] = set()
        self._panels: dict[str, _Panel] = {}
        self._tasks = BackgroundTasks()
        sessions.notifications.on_change.append(self.changed)

    async def changed(self, session_id: str) -> None:
        """The session's panel must be drawn again."""
        panel = self._panels.get(session_id)
        if panel is None:
            panel = self._panels[session_id] = _Panel(self, session_id)
            self._tasks.spawn(panel.keep(), f"the panel of session {session_id}")
        panel.mark()

    def anew(self, session_id: str) -> None:
        """A session is about to be taken up again: its next panel is a new one, where people talk now."""
        self.renewed.add(session_id)

    def of_message(self, message_id: int) -> str | None:
        """The session whose panel a message is."""
        found = (panel.session_id for panel in self._panels.values() if panel.message_id == message_id)
        return next(found, None)

    def written(self, channel_id: int, message_id: int) -> None:
        """Somebody wrote in a channel: a panel there is not at the bottom any more."""
        for panel in self._panels.values():
            if panel.channel_id == channel_id:
                panel.bury(message_id)

    def deleted(self, message_ids: set[int]) -> None:
        """Messages are gone; a panel among them is sent again."""
        for panel in self._panels.values():
            if panel.message_id in message_ids:
                panel.lose()

    async def close(self) -> None:
        """Stop drawing; the messages stay."""
        await self._tasks.close()
        self._panels.clear()

    def done(self, session_id: str) -> None:
        """A session is over and its panel says so."""
        self._panels.pop(session_id, None)


class _Panel:
    """One panel."""

    def __init__(self, panels: SessionPanels, session_id: str) -> None:
        self.panels, self.client, self.sessions = panels, panels.client, panels.sessions
        self.session_id = session_id
        self.message_id: int | None = None
        self.channel_id = 0
        self._newest = 0
        self._last_id = 0
        self._changed = asyncio.Event()
        self._picture: PanelPicture | None = None
        self._begun = False
        self._adopted = session_id in panels.renewed  # then the message from before stays as it is
        panels.renewed.discard(session_id)
        self._status: str | None = None
        self._moved_at = -_MOVES_APART

    def mark(self) -> None:
        """To be drawn again."""
        self._changed.set()

    @property
    def buried(self) -> bool:
        """Whether others have written below."""
        return self.message_id is not None and self._newest > self.message_id

    def bury(self, message_id: int) -> None:
        """A message was written; the panel's own is heard of too, sometimes before its sending has ended."""
        self._newest = max(self._newest, message_id)
        if self.buried:
            self._changed.set()

    def lose(self) -> None:
        """The message was deleted."""
        self.message_id = None
        self._changed.set()

    async def keep(self) -> None:
        """Draw the panel after each change, until the session is over."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            pause = self.panels.edits_apart
            try:
                view = await self.sessions.view_of_stored(self.session_id)
                await self._show(view)
                if view.status is PlaybackStatus.OVER:
                    self.panels.done(self.session_id)
                    return
            except Refusal:
                self.panels.done(self.session_id)  # deleted with all that belonged to it
                return
            except discord.HTTPException as error:
                shut = classify(error) is ErrorKind.NO_WAY_IN
                pause = _NO_ENTRY_PAUSE if shut else self.panels.retry_pause
                log.warning("the panel of session %s cannot be shown: %s", self.session_id, error.text)
                self._changed.set()
            except (aiohttp.ClientError, OSError, TimeoutError, InferenceError) as error:
                log.warning("the panel of session %s: %s", self.session_id, type(error).__name__)
                pause = self.panels.retry_pause
                self._changed.set()
            except Exception:
                log.exception("the panel of session %s cannot be drawn", self.session_id)
            await asyncio.sleep(pause)

    async def _show(self, view: SessionView) -> None:
        session = view.session
        self.channel_id = session.text_channel_id
        self._last_id = max(self._last_id, session.board_message_id or 0)
        if not self._adopted:
            self.message_id, self._adopted = session.board_message_id, True  # an earlier process's
        folder = view.clip.result_dir if view.clip is not None else None
        document = await asyncio.to_thread(read_result, folder)
        board = panel_content(view, document, unheard=self._is_unheard(session))
        await self._tell_status(board)
        if view.status is PlaybackStatus.OVER and self.message_id is None:
            return
        await self._send(board)

    async def _send(self, board: PanelContent) -> None:
        """Edit the message, or send it (again) where it is missing or buried."""
        channel = self.client.get_partial_messageable(self.channel_id)
        over = board.view.status is PlaybackStatus.OVER
        now = time.monotonic()
        wait = self._moved_at + self.panels.moves_apart - now
        move = not over and ((self.buried and wait <= 0) or self._is_old())
        if self.buried and wait > 0 and not over:
            asyncio.get_running_loop().call_later(wait, self.mark)
        picture = picture_of(board)
        fresh = self.message_id is None or move
        redraw = fresh or picture != self._picture or not self._begun
        parts: dict[str, Any] = {"view": panel_buttons(board)}
        if redraw:
            drawn = await draw_in_child(picture) if picture is not None else None
            files = [discord.File(io.BytesIO(drawn), PICTURE_NAME)] if drawn is not None else []
            parts["embed"] = panel_embed(board, picture=drawn is not None)
            parts["files" if fresh else "attachments"] = files
            if drawn is None:
                picture = None  # tried again with the next edit
        else:
            parts["embed"] = panel_embed(board, picture=picture is not None)
        if not fresh and self.message_id is not None:
            try:
                await channel.get_partial_message(self.message_id).edit(**parts)
            except discord.NotFound:
                self.lose()
                return
        else:
            old, message = self.message_id, await channel.send(nonce=self._nonce(), **parts)
            self.message_id, self._moved_at = message.id, now
            await self.sessions.set_board_message(self.session_id, message.id)
            if old is not None:
                await self._delete(channel, old)
        self._picture, self._begun = picture, True

    def _nonce(self) -> str:
        """Names the panel after this one's predecessor: sent again after a failure or a kill, it is not there
        twice."""
        named = f"{self.session_id} {self._last_id}".encode()
        return hashlib.blake2b(named, digest_size=12).hexdigest()

    def _is_unheard(self, session: Session) -> bool:
        room = self.client.get_channel(session.voice_channel_id)
        if not isinstance(room, discord.StageChannel):
            return False
        mine = room.guild.me.voice
        return mine is not None and mine.channel == room and mine.suppress

    def _is_old(self) -> bool:
        if self.message_id is None:
            return False
        return discord.utils.utcnow() - discord.utils.snowflake_time(self.message_id) > _OLD

    async def _delete(self, channel: discord.PartialMessageable, message_id: int) -> None:
        try:
            await channel.get_partial_message(message_id).delete()
        except discord.HTTPException as error:
            log.info("an old panel cannot be deleted: %s", error.status)

    async def _tell_status(self, board: PanelContent) -> None:
        """The voice channel's status, where the bot may set it; nothing depends on it."""
        line = status_line(board)
        if line == self._status:
            return
        channel = self.client.get_channel(board.view.session.voice_channel_id)
        if not isinstance(channel, discord.VoiceChannel):
            return
        allowed = channel.permissions_for(channel.guild.me)
        if not allowed.set_voice_channel_status or (line is None and not allowed.manage_channels):
            # Once the bot has left, Discord asks for more; it clears the status itself with the last member.
            return
        try:
            await channel.edit(status=line)
            self._status = line
        except (discord.HTTPException, aiohttp.ClientError) as error:
            log.info("the status of a voice channel cannot be set: %s", error)
