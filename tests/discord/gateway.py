"""The gateway: sessions, sequence numbers, compression, RESUME with replay, and drops that call for it."""

from __future__ import annotations

import asyncio
import importlib
import json
import secrets
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from tests.discord import payloads
from tests.discord.intents import CONTENT, MEMBERS, PRIVILEGED, wanted
from tests.discord.permissions import P
from tests.discord.state import Channel, Guild, Json
from tests.discord.world import World

URL = "wss://gateway.discord.gg"
DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE_STATE, RESUME, RECONNECT = 0, 1, 2, 3, 4, 6, 7
REQUEST_MEMBERS, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 8, 9, 10, 11


class Squeeze(Protocol):
    """Compresses one message of a stream."""

    def __call__(self, text: str) -> bytes | str: ...


def make_squeeze(name: str | None) -> Squeeze:
    """The transport compression that the client asked for."""
    if name == "zlib-stream":
        stream = zlib.compressobj()
        return lambda text: stream.compress(text.encode()) + stream.flush(zlib.Z_SYNC_FLUSH)
    if name == "zstd-stream":
        zstd: Any = importlib.import_module("zstandard")
        packer = zstd.ZstdCompressor().compressobj()
        return lambda text: packer.compress(text.encode()) + packer.flush(zstd.COMPRESSOBJ_FLUSH_BLOCK)
    return lambda text: text


@dataclass(eq=False)
class Connection:
    """One WebSocket. Messages leave in order through ``outbox``."""

    ws: web.WebSocketResponse
    request: web.Request
    squeeze: Squeeze
    outbox: asyncio.Queue[Json | None] = field(default_factory=asyncio.Queue)

    def send(self, op: int, data: Any = None, *, event: str | None = None, seq: int | None = None) -> None:
        self.outbox.put_nowait({"op": op, "d": data, "t": event, "s": seq})

    async def pump(self) -> None:
        """Writes until told to stop or the other side is gone."""
        while (item := await self.outbox.get()) is not None:
            frame = self.squeeze(json.dumps(item, separators=(",", ":")))
            try:
                if isinstance(frame, bytes):
                    await self.ws.send_bytes(frame)
                else:
                    await self.ws.send_str(frame)
            except (ConnectionError, RuntimeError):
                return

    def abort(self) -> None:
        """Cuts the TCP connection without a closing handshake."""
        if self.request.transport is not None:
            self.request.transport.abort()


@dataclass(eq=False)
class Session:
    """What a client keeps across reconnections."""

    id: str
    intents: int
    shard: tuple[int, int]
    connection: Connection | None
    seq: int = 0
    history: deque[tuple[int, str, Json]] = field(default_factory=lambda: deque(maxlen=5000))
    ready: bool = False

    def dispatch(self, event: str, data: Json) -> None:
        self.seq += 1
        self.history.append((self.seq, event, data))
        if self.connection:
            self.connection.send(DISPATCH, data, event=event, seq=self.seq)

    def covers(self, guild: Guild | None) -> bool:
        index, count = self.shard
        return index == ((guild.id >> 22) % count if guild else 0)


class Gateway:
    """Accepts connections and passes events to the sessions that may see them.

    ``identifies``, ``resumes`` and ``commands`` (every payload received) let a test see what the client did.
    """

    def __init__(self, world: World, token: str, *, privileged_intents: int = 0) -> None:
        self.world = world
        self.token = token
        self.privileged_intents = privileged_intents
        self.heartbeat_interval = 41_250
        self.sessions: dict[str, Session] = {}
        self.identifies: list[Json] = []
        self.resumes: list[Json] = []
        self.received: list[Json] = []
        self.refuse_resumes = 0
        """How many of the next RESUMEs to answer with an invalid session."""
        self.acknowledge_heartbeats = True
        self.on_voice_state: Any = None
        world.emit = self.dispatch

    # events

    def dispatch(self, event: str, data: Json, guild: Guild | None, channel: Channel | None) -> None:
        """Sends an event to each session whose shard, intents and permissions cover it."""
        if event != "INTERACTION_CREATE":
            if (guild and not guild.has_bot) or (channel and not channel.has_bot):
                return
            private = event.startswith(("MESSAGE", "TYPING", "CHANNEL_PINS"))
            if channel and private and not self.world.bot_permissions(channel) & P.VIEW_CHANNEL:
                return
        for session in list(self.sessions.values()):
            if session.ready and session.covers(guild) and wanted(session.intents, event, guild):
                session.dispatch(event, self._reduced(session, event, data, guild))

    def _reduced(self, session: Session, event: str, data: Json, guild: Guild | None) -> Json:
        if event not in ("MESSAGE_CREATE", "MESSAGE_UPDATE") or guild is None or session.intents & CONTENT:
            return data
        me = str(self.world.bot.id)
        if data["author"]["id"] == me or any(user["id"] == me for user in data["mentions"]):
            return data
        return payloads.without_content(data)

    # connections

    async def handle(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(max_msg_size=0, compress=False)
        await ws.prepare(request)
        connection = Connection(ws, request, make_squeeze(request.query.get("compress")))
        connection.send(HELLO, {"heartbeat_interval": self.heartbeat_interval, "_trace": []})
        pump = asyncio.create_task(connection.pump())
        session: Session | None = None
        try:
            async for frame in ws:
                if frame.type is not WSMsgType.TEXT:
                    continue
                session = await self._receive(connection, session, json.loads(frame.data))
                if ws.closed:
                    break
        finally:
            if session and session.connection is connection:
                session.connection = None
                if ws.close_code in (1000, 1001):
                    self.sessions.pop(session.id, None)
            pump.cancel()
            self.world.changed()
        return ws

    async def _receive(
        self, connection: Connection, session: Session | None, message: Json
    ) -> Session | None:
        op = message["op"]
        data: Any = message.get("d")
        self.received.append(message)
        if op == HEARTBEAT:
            if self.acknowledge_heartbeats:
                connection.send(HEARTBEAT_ACK)
        elif op == IDENTIFY:
            return await self._identify(connection, data)
        elif op == RESUME:
            return self._resume(connection, data)
        elif session is None:
            await connection.ws.close(code=4003, message=b"Not authenticated.")
        elif op == REQUEST_MEMBERS:
            self._send_members(session, data)
        elif op == VOICE_STATE and self.on_voice_state is not None:
            self.on_voice_state(session, data)
        return session

    async def _identify(self, connection: Connection, data: Json) -> Session | None:
        self.identifies.append(data)
        if data["token"] != self.token:
            await connection.ws.close(code=4004, message=b"Authentication failed.")
            return None
        intents = int(data["intents"])
        if intents & PRIVILEGED & ~self.privileged_intents:
            await connection.ws.close(code=4014, message=b"Disallowed intent(s).")
            return None
        index, count = data.get("shard") or (0, 1)
        # A process that died leaves its session behind; nobody will resume it once the shard identifies anew.
        for old in list(self.sessions.values()):
            if old.connection is None and old.shard == (index, count):
                del self.sessions[old.id]
        session = Session(secrets.token_hex(16), intents, (index, count), connection)
        self.sessions[session.id] = session
        self._open(session)
        return session

    def _open(self, session: Session) -> None:
        """READY, then one GUILD_CREATE a guild."""
        mine = [guild for guild in self.world.guilds.values() if guild.has_bot and session.covers(guild)]
        ready = {
            "v": 10,
            "user": self.world.bot.payload()
            | {"verified": True, "mfa_enabled": False, "email": None, "flags": 0},
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in mine],
            "session_id": session.id,
            "resume_gateway_url": URL,
            "shard": list(session.shard),
            "application": {"id": str(self.world.bot.id), "flags": 0},
            "private_channels": [],
            "relationships": [],
            "presences": [],
            "user_settings": {},
            "session_type": "normal",
            "_trace": [],
        }
        session.dispatch("READY", ready)
        if session.intents & 1:
            for guild in mine:
                body = payloads.guild_create(guild, all_members=bool(session.intents & MEMBERS))
                session.dispatch("GUILD_CREATE", body)
        session.ready = True
        self.world.changed()

    def _resume(self, connection: Connection, data: Json) -> Session | None:
        self.resumes.append(data)
        session = self.sessions.get(data["session_id"])
        if self.refuse_resumes or session is None or data["token"] != self.token or data["seq"] > session.seq:
            self.refuse_resumes = max(0, self.refuse_resumes - 1)
            if session:
                del self.sessions[session.id]
            connection.send(INVALID_SESSION, False)
            return None
        session.connection = connection
        for seq, event, body in list(session.history):
            if seq > data["seq"]:
                connection.send(DISPATCH, body, event=event, seq=seq)
        session.dispatch("RESUMED", {"_trace": []})
        self.world.changed()
        return session

    def _send_members(self, session: Session, data: Json) -> None:
        guild = self.world.guilds[int(data["guild_id"])]
        ids = data.get("user_ids")
        chosen = {int(each) for each in ([ids] if isinstance(ids, (str, int)) else ids or [])}
        query = str(data.get("query") or "").lower()
        found = [
            member
            for member in guild.members.values()
            if (member.user.id in chosen if chosen else member.user.name.lower().startswith(query))
        ]
        body = {
            "guild_id": str(guild.id),
            "members": [member.payload() for member in found],
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [],
            "nonce": data.get("nonce"),
        }
        session.dispatch("GUILD_MEMBERS_CHUNK", body)

    # what a test does to the connections

    @property
    def connected(self) -> list[Session]:
        """Sessions with a live connection that have been sent READY."""
        return [session for session in self.sessions.values() if session.connection and session.ready]

    async def wait_connected(self, within: float = 30.0, *, identifies: int = 1) -> None:
        """Waits until a client is connected, after at least ``identifies`` IDENTIFYs in this run."""
        await self.world.until(
            lambda: True if self.connected and len(self.identifies) >= identifies else None,
            within,
            lambda: f"no client connected ({len(self.identifies)} identified)",
        )

    async def wait_resumed(self, count: int = 1, within: float = 30.0) -> None:
        """Waits for ``count`` RESUMEs in this run, and a live connection."""
        await self.world.until(
            lambda: True if len(self.resumes) >= count and self.connected else None,
            within,
            lambda: f"{len(self.resumes)} resumes, {len(self.connected)} connected",
        )

    def drop(self) -> None:
        """Cuts every connection without a word; clients resume."""
        for session in self.connected:
            connection, session.connection = session.connection, None
            if connection:
                connection.abort()

    async def close(self, code: int = 4000) -> None:
        """Closes every connection with a code of Discord's (4000, 4009 ...)."""
        for session in self.connected:
            if session.connection:
                await session.connection.ws.close(code=code)

    def ask_to_reconnect(self) -> None:
        """Opcode 7."""
        for session in self.connected:
            if session.connection:
                session.connection.send(RECONNECT)

    def invalidate(self, *, resumable: bool = False) -> None:
        """Opcode 9; without ``resumable`` the session is forgotten and the client must identify again."""
        for session in self.connected:
            if session.connection:
                session.connection.send(INVALID_SESSION, resumable)
            if not resumable:
                session.connection = None
                del self.sessions[session.id]
