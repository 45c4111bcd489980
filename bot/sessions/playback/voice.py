"""A voice connection that comes back: what ended it decides whether it is joined again.

discord.py is told not to reconnect on its own, so that every loss is judged in one place, tries are bounded,
and a session that must end ends politely. Moves (4014 with a new channel) stay discord.py's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import discord
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from discord.gateway import DiscordVoiceWebSocket
from discord.voice_state import VoiceConnectionState

from bot.sessions.playback.playlist import PlaylistSource

log = logging.getLogger(__name__)

_FRAMES_BACK = 25  # half a second is heard twice, rather than a lost one
_PRIVATE_SECONDS = 10.0
_MOVED_OR_REMOVED = 4014  # also what the library itself closes with when the voice server changes
_LIBRARY_HANDLES = (1000, _MOVED_OR_REMOVED)  # our own leaving, and what it goes along with
_LEAVE_SECONDS = 2.0
_POLL = 0.02
_SESSION_DESCRIPTION, _CLIENTS_CONNECT = 4, 11  # messages of voice gateway version 8

AES_GCM = "aead_aes256_gcm_rtpsize"
"""What Discord recommends where it is offered; discord.py knows the other mode only."""

_COUNTERS = 2**32

# The private names that are relied on.
_PRIVATE = ((VoiceConnectionState, "_connect_websocket"), (discord.VoiceClient, "_get_voice_packet"))
if not all(hasattr(owner, name) for owner, name in _PRIVATE):
    raise ImportError("This discord.py connects to voice in another way; AlbumGen was tried with 2.7.1.")


class VoiceEnd(StrEnum):
    """Why voice is over for good."""

    REMOVED = "removed"  # someone disconnected the bot, or the channel is gone
    ENCRYPTION = "encryption"  # 4017: the channel wants end-to-end encryption that we could not offer
    REFUSED = "refused"  # 4021, 4022: rate-limited, or the call was ended; joining again is not wanted
    UNREACHABLE = "unreachable"  # every try failed
    LEFT = "left"  # we hung up


_FINAL = {4017: VoiceEnd.ENCRYPTION, 4021: VoiceEnd.REFUSED, 4022: VoiceEnd.REFUSED}


class _Connection(VoiceConnectionState):
    """Remembers what the voice server closed with, which the library drops while it cleans up."""

    close_code: int | None = None
    _hanging_up: asyncio.Task[None] | None = None

    async def _connect_websocket(self, resume: bool) -> DiscordVoiceWebSocket:
        socket = await super()._connect_websocket(resume)
        self.close_code = None
        poll, begin = socket.poll_event, socket.initial_connection

        async def initial_connection(data: dict[str, Any]) -> None:
            # The library takes the first mode that it knows, in the server's order.
            await begin(data | {"modes": sorted(data["modes"], key=lambda mode: mode != AES_GCM)})

        async def poll_event() -> None:
            try:
                await poll()
            except discord.ConnectionClosed as error:
                self.close_code = error.code
                if error.code in _LIBRARY_HANDLES or not self.is_connected():
                    raise
                # 4015 among them: the library's resume waits for updates that do not come, and gives up.
                self._hanging_up = asyncio.create_task(self.voice_client.disconnect(force=True))
                raise asyncio.CancelledError from error  # ends the library's poller without a word

        setattr(socket, "poll_event", poll_event)  # noqa: B010  (mypy forbids the plain assignment)
        setattr(socket, "initial_connection", initial_connection)  # noqa: B010
        return socket


class _Client(discord.VoiceClient):
    """Tells its link when it was lost, and why; and knows a second way to encrypt."""

    # The annotation lists what the library knows itself.
    supported_modes: tuple[Any, ...] = (AES_GCM, *discord.VoiceClient.supported_modes)
    removed = False
    on_lost: Callable[[], None] | None = None
    state: _Connection
    _sealer: tuple[bytes, AESGCM] | None = None
    _counter = 0

    def create_connection_state(self) -> VoiceConnectionState:
        self.state = _Connection(self, hook=self._heard)
        return self.state

    async def _heard(self, socket: DiscordVoiceWebSocket, message: dict[str, Any]) -> None:
        """Say that we speak to those who were not told: who comes late, and a server that took over."""
        if message["op"] in (_SESSION_DESCRIPTION, _CLIENTS_CONNECT) and self.is_playing():
            await socket.speak()

    async def on_voice_state_update(self, data: Any, /) -> None:
        # Behind another close code this is only the answer to our own leaving.
        if data["channel_id"] is None and self.state.close_code in (None, _MOVED_OR_REMOVED):
            self.removed = True
        await super().on_voice_state_update(data)

    def _encrypt_aead_aes256_gcm_rtpsize(self, header: bytes, data: bytes) -> bytes:
        """AES-256 in GCM, the RTP header authenticated; the nonce's counter goes behind (32 bits, then 0).

        Called by the library, by the mode's name, from the voice thread.
        """
        key = bytes(self.secret_key)
        if self._sealer is None or self._sealer[0] != key:
            self._sealer, self._counter = (key, AESGCM(key)), 0  # a nonce is used once with a key
        counter = struct.pack(">I", self._counter)
        self._counter = (self._counter + 1) % _COUNTERS
        return (
            bytes(header) + self._sealer[1].encrypt(counter + bytes(8), bytes(data), bytes(header)) + counter
        )

    def cleanup(self) -> None:
        super().cleanup()
        if self.on_lost is not None:
            self.on_lost()


class VoiceConnection:
    """Keeps the bot in one voice channel and a playlist playing there.

    Args:
        channel: where to.
        source: what plays; it is the caller's to fill.
        on_idle: called in the event loop when the source has come to its end.
        on_end: called in the event loop when voice is over for good.
        tries: attempts at joining before `UNREACHABLE`.
        timeout: seconds for each.
        pause: seconds before the second attempt; doubled for each further one.
    """

    def __init__(
        self,
        channel: discord.VoiceChannel | discord.StageChannel,
        source: PlaylistSource,
        *,
        on_idle: Callable[[], None] | None = None,
        on_end: Callable[[VoiceEnd], None] | None = None,
        tries: int = 5,
        timeout: float = 15.0,
        pause: float = 1.0,
    ) -> None:
        self.source = source
        self._channel = channel
        self._on_idle, self._on_end = on_idle, on_end
        self._tries, self._timeout, self._pause = tries, timeout, pause
        self._client: _Client | None = None
        self._rejoining: asyncio.Task[None] | None = None
        self._paused = False
        self._leaving = False
        self.ending: VoiceEnd | None = None

    @property
    def channel(self) -> discord.VoiceChannel | discord.StageChannel:
        """Where the bot is; another one after it was moved."""
        return self._client.channel if self._client is not None else self._channel

    @property
    def connected(self) -> bool:
        """Whether sound would arrive now."""
        return self._client is not None and self._client.is_connected()

    @property
    def paused(self) -> bool:
        """Whether playback waits for `resume`."""
        return self._paused

    async def join(self) -> bool:
        """Connect, within the bounded tries; False when voice is over (see `ending`)."""
        for attempt in range(self._tries):
            if attempt:
                await asyncio.sleep(self._pause * 2 ** (attempt - 1))
            if self._leaving:
                return False
            try:
                client = await self._channel.connect(timeout=self._timeout, reconnect=False, cls=_Client)
            except discord.ConnectionClosed as error:
                log.info("voice closed with %s while joining", error.code)
                if error.code in _FINAL:
                    self._end(_FINAL[error.code])
                    return False
            except (TimeoutError, discord.DiscordException, OSError) as error:
                log.info("voice could not be joined: %s", error or type(error).__name__)
            else:
                self._client, client.on_lost = client, self._lost
                await self._ask_for_the_stage(client)
                await self._until_private(client)
                return True
            await self._drop_remains()
        self._end(VoiceEnd.UNREACHABLE)
        return False

    def play(self) -> None:
        """Begin reading the source, unless it is being read, or playback is paused."""
        client = self._client
        if client is None or not client.is_connected() or client.is_playing() or self._paused:
            return
        if client.is_paused():
            client.resume()
            return
        loop = asyncio.get_running_loop()
        client.play(self.source, after=lambda error: loop.call_soon_threadsafe(self._stopped, client, error))

    def pause(self) -> None:
        """Hold; five frames of silence go out."""
        self._paused = True
        if self._client is not None:
            self._client.pause()

    def resume(self) -> None:
        """Go on where it was held."""
        self._paused = False
        self.play()

    async def leave(self) -> None:
        """Disconnect; harmless when called again."""
        self._leaving = True
        if self._rejoining is not None:
            self._rejoining.cancel()
            await asyncio.gather(self._rejoining, return_exceptions=True)
        if self._client is not None:
            await self._client.disconnect(force=True)
        self._end(VoiceEnd.LEFT)

    async def _until_private(self, client: _Client) -> None:
        """Connected is not yet ready: in an encrypted channel, frames before the keys are heard by nobody.

        A channel's first listener may come later, so this does not wait for ever.
        """
        if not client.state.dave_protocol_version:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PRIVATE_SECONDS):
                while client.voice_privacy_code is None and client.is_connected():  # noqa: ASYNC110
                    await asyncio.sleep(_POLL)  # the client has no event for it

    async def _ask_for_the_stage(self, client: _Client) -> None:
        """In a stage channel the bot begins in the audience: it speaks, or raises its hand to be let."""
        channel, me = client.channel, client.guild.me
        if not isinstance(channel, discord.StageChannel) or me.voice is None or not me.voice.suppress:
            return
        try:
            try:
                await me.edit(suppress=False)
            except discord.Forbidden:
                await me.request_to_speak()
        except discord.HTTPException as error:
            log.info("the stage of channel %d was not given: %s", channel.id, error)

    def _stopped(self, client: _Client, error: Exception | None) -> None:
        """The player's thread has ended: at the end of the source, or because voice was lost."""
        if error is not None:
            log.error("playback failed", exc_info=error)
        idle = self.source.current is None
        if client is self._client and client.is_connected() and idle and self._on_idle is not None:
            self._on_idle()

    def _lost(self) -> None:
        client, self._client = self._client, None
        if self._leaving or client is None or self._rejoining is not None:
            return
        self._channel = client.channel
        code = client.state.close_code
        log.info("voice was lost with code %s", code)
        if code in _FINAL:
            self._end(_FINAL[code])
        elif client.removed:
            self._end(VoiceEnd.REMOVED)
        else:
            self.source.rewind(_FRAMES_BACK)
            self._rejoining = asyncio.get_running_loop().create_task(self._rejoin())

    async def _rejoin(self) -> None:
        try:
            await self._drop_remains()
            await self._until_gone()
            if await self.join():
                self.play()
        finally:
            self._rejoining = None

    async def _until_gone(self) -> None:
        """The news that we left must not reach the next client, which would take it for a removal."""
        me = self._channel.guild.me
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS):
                while me.voice is not None and me.voice.channel is not None:  # noqa: ASYNC110
                    await asyncio.sleep(_POLL)

    async def _drop_remains(self) -> None:
        remains = self._channel.guild.voice_client
        if remains is not None:
            await remains.disconnect(force=True)

    def _end(self, ending: VoiceEnd) -> None:
        if self.ending is None:
            self.ending = ending
            if self._on_end is not None:
                self._on_end(ending)
