"""The voice server: who sits where, WebSocket v8, and the ways in which a connection ends."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

from aiohttp import WSMsgType, web

from tests.discord import gateway
from tests.discord.permissions import P
from tests.discord.state import STAGE, Channel, Guild, Json, User
from tests.discord.voice.connection import (
    CLIENTS_CONNECT,
    HEARTBEAT_ACK,
    HELLO,
    READY,
    RESUMED,
    VoiceConnection,
)
from tests.discord.voice.mls import ExternalSender
from tests.discord.voice.udp import MODES, Socket
from tests.discord.world import World

IDENTIFY, SELECT_PROTOCOL, HEARTBEAT, SPEAK, RESUME = 0, 1, 3, 5, 7
TRANSITION_READY, KEY_PACKAGE, COMMIT_WELCOME = 23, 26, 28


class VoiceServer:
    """``connections`` holds every connection of the run by guild, the newest last.

    ``modes`` are the encryption modes offered, best first. ``dave`` demands end-to-end encryption: a client
    that cannot is closed with 4017, and members who sit in the channel join the bot's group and listen.
    ``reports`` sends one RTCP packet when a connection is ready (see ``Socket.report``).
    """

    def __init__(self, world: World, on_gateway: gateway.Gateway) -> None:
        self.world = world
        self.gateway = on_gateway
        self.modes = list(MODES)
        self.dave = False
        self.reports = True
        self.sender = ExternalSender()
        self.connections: dict[int, list[VoiceConnection]] = {}
        self.refuse_with: list[int] = []
        self._expected: dict[int, tuple[str, str]] = {}
        self._region = 0
        self._sockets: list[Socket] = []
        self._sending: set[asyncio.Future[None]] = set()
        on_gateway.on_voice_state = self.bot_wants

    def close(self) -> None:
        for each in self._sockets:
            each.close()

    # who is where

    def state_of(
        self, user: User, guild: Guild, channel: Channel | None, session: str, **flags: bool
    ) -> Json:
        member = guild.members[user.id]
        state: Json = {
            "guild_id": str(guild.id),
            "channel_id": str(channel.id) if channel else None,
            "user_id": str(user.id),
            "member": member.payload(),
            "session_id": session,
            "deaf": False,
            "mute": False,
            "self_deaf": False,
            "self_mute": False,
            "self_video": False,
            "suppress": bool(channel and channel.kind == STAGE),
            "request_to_speak_timestamp": None,
        }
        return state | flags

    def place(
        self, user: User, guild: Guild, channel: Channel | None, session: str = "", **flags: bool
    ) -> None:
        """Puts a user into a voice channel (or none) and tells everyone."""
        session = session or secrets.token_hex(16)
        state = self.state_of(user, guild, channel, session, **flags)
        if channel:
            guild.voice_states[user.id] = state
        else:
            guild.voice_states.pop(user.id, None)
        self.world.announce("VOICE_STATE_UPDATE", state, guild=guild)
        if channel and user is not self.world.bot:
            self._introduce(user, guild, channel)

    def _introduce(self, user: User, guild: Guild, channel: Channel) -> None:
        """Tells the bot's connection in ``channel`` that somebody is there now."""
        for connection in self.connections.get(guild.id, []):
            if connection.live and connection.channel is channel:
                told = asyncio.ensure_future(connection.send(CLIENTS_CONNECT, {"user_ids": [str(user.id)]}))
                self._sending.add(told)
                told.add_done_callback(self._sending.discard)

    def listeners(self, channel: Channel) -> list[int]:
        """Ids of the members who sit in ``channel`` beside the bot."""
        assert channel.guild is not None
        here = [
            int(s["user_id"])
            for s in channel.guild.voice_states.values()
            if s["channel_id"] == str(channel.id)
        ]
        return [user for user in here if user != self.world.bot.id]

    def bot_wants(self, session: gateway.Session, data: Json) -> None:
        """Opcode 4 on the gateway. Without the right to connect Discord stays silent."""
        guild = self.world.guilds[int(data["guild_id"])]
        flags = {name: bool(data.get(name)) for name in ("self_mute", "self_deaf")}
        if data["channel_id"] is None:
            self._expected.pop(guild.id, None)
            self.place(self.world.bot, guild, None, session.id)
            return
        channel = self.world.channels.get(int(data["channel_id"]))
        if channel is None or not self.world.bot_permissions(channel) & P.CONNECT:
            return
        self.place(self.world.bot, guild, channel, session.id, **flags)
        self.announce_server(guild, session.id)

    def announce_server(self, guild: Guild, session: str) -> None:
        """VOICE_SERVER_UPDATE with a fresh token."""
        token = secrets.token_hex(8)
        self._expected[guild.id] = (session, token)
        endpoint = f"loopback-{self._region}.discord.media:443"
        data = {"guild_id": str(guild.id), "token": token, "endpoint": endpoint}
        self.world.announce("VOICE_SERVER_UPDATE", data, guild=guild)

    # the WebSocket

    async def handle(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(max_msg_size=0)
        await ws.prepare(request)
        await ws.send_str(json.dumps({"op": HELLO, "d": {"v": 8, "heartbeat_interval": 13_750}}))
        connection: VoiceConnection | None = None
        async for frame in ws:
            if frame.type is WSMsgType.TEXT:
                message = json.loads(frame.data)
                connection = await self._receive(ws, connection, message["op"], message.get("d"))
            elif frame.type is WSMsgType.BINARY and connection:
                await self._receive_binary(connection, frame.data)
        if connection and connection.ws is ws:
            connection.ws = None
        self.world.changed()
        return ws

    async def _receive(
        self, ws: web.WebSocketResponse, connection: VoiceConnection | None, op: int, data: Any
    ) -> VoiceConnection | None:
        if op == IDENTIFY:
            return await self._identify(ws, data)
        if op == RESUME:
            return await self._resume(ws, data)
        if connection is None:
            await ws.close(code=4003, message=b"Not authenticated.")
        elif op == HEARTBEAT:
            await connection.send(HEARTBEAT_ACK, {"t": data["t"] if isinstance(data, dict) else data})
        elif op == SELECT_PROTOCOL:
            mode = data["data"]["mode"]
            if mode not in self.modes:
                await ws.close(code=4016, message=b"Unknown encryption mode.")
            else:
                await connection.describe(mode)
        elif op == SPEAK:
            connection.speaking.append(int(data["speaking"]))
            self.world.changed()
        return connection

    async def _receive_binary(self, connection: VoiceConnection, data: bytes) -> None:
        if data[0] == KEY_PACKAGE:
            await connection.propose_listeners()
        elif data[0] == COMMIT_WELCOME:
            await connection.commit(data[1:])

    async def _identify(self, ws: web.WebSocketResponse, data: Json) -> VoiceConnection | None:
        guild = self.world.guilds.get(int(data["server_id"]))
        code = self.refuse_with.pop(0) if self.refuse_with else 0
        if guild is None or self._expected.get(guild.id) != (data["session_id"], data["token"]):
            code = 4006
        elif self.dave and not data.get("max_dave_protocol_version"):
            code = 4017
        if code:
            await ws.close(code=code)
            return None
        assert guild is not None
        channel = self.world.channels[int(guild.voice_states[self.world.bot.id]["channel_id"])]
        ssrc = secrets.randbelow(1 << 31) + 1
        connection = VoiceConnection(self, channel, data["session_id"], data["token"], ssrc, ws)
        connection.dave_version = 1 if self.dave else 0
        self.connections.setdefault(guild.id, []).append(connection)
        udp = connection.udp = Socket(connection.receive)
        self._sockets.append(udp)
        ready = {"ssrc": ssrc, "ip": "127.0.0.1", "port": udp.port, "modes": self.modes, "experiments": []}
        await connection.send(READY, ready)
        self.world.changed()
        return connection

    async def _resume(self, ws: web.WebSocketResponse, data: Json) -> VoiceConnection | None:
        for connection in self.connections.get(int(data["server_id"]), []):
            tokens = {connection.token, self._expected.get(int(data["server_id"]), ("", ""))[1]}
            if connection.session_id == data["session_id"] and data["token"] in tokens:
                connection.ws = ws
                connection.resumes += 1
                await connection.send(RESUMED, None)
                self.world.changed()
                return connection
        await ws.close(code=4006, message=b"Session is no longer valid.")
        return None

    # for tests

    def of(self, guild: Guild) -> VoiceConnection:
        """The newest connection in ``guild``; LookupError when there was none."""
        if not self.connections.get(guild.id):
            raise LookupError(f"no voice connection in {guild.name}")
        return self.connections[guild.id][-1]

    async def wait_connected(
        self, guild: Guild, within: float = 15.0, *, connections: int = 1
    ) -> VoiceConnection:
        """Waits until the bot can send audio in ``guild``, on connection ``connections`` or later."""

        def look() -> VoiceConnection | None:
            made = self.connections.get(guild.id, [])
            ready = len(made) >= connections and made[-1].live and made[-1].mode
            return made[-1] if ready else None

        return await self.world.until(look, within, lambda: f"{self.connections.get(guild.id)}")

    async def wait_frames(self, guild: Guild, count: int, within: float = 30.0) -> VoiceConnection:
        """Waits for ``count`` packets."""
        await self.world.until(
            lambda: True if self.connections.get(guild.id) and len(self.of(guild).packets) >= count else None,
            within,
            lambda: f"{len(self.of(guild).packets)} packets",
        )
        return self.of(guild)

    async def hang_up(self, guild: Guild, code: int) -> None:
        """Closes the bot's voice WebSocket with one of Discord's codes."""
        ws = self.of(guild).ws
        if ws:
            await ws.close(code=code)

    async def disconnect_bot(self, guild: Guild) -> None:
        """What a moderator's "Disconnect" does: no channel any more, and 4014."""
        self._expected.pop(guild.id, None)
        self.place(self.world.bot, guild, None, self.of(guild).session_id)
        await self.hang_up(guild, 4014)

    async def move_bot(self, guild: Guild, channel: Channel) -> None:
        """What dragging the bot does: another channel, 4014, and a new server to connect to."""
        session = self.of(guild).session_id
        self.place(self.world.bot, guild, channel, session)
        await self.hang_up(guild, 4014)
        self.announce_server(guild, session)

    async def change_region(self, guild: Guild) -> None:
        """Another voice server for the same channel."""
        self._region += 1
        self.announce_server(guild, self.of(guild).session_id)
