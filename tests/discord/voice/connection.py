"""One voice connection of the bot: WebSocket v8 messages, keys, and every packet it sent."""

from __future__ import annotations

import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.discord.state import Channel, Json
from tests.discord.voice import mls
from tests.discord.voice.ear import Ear
from tests.discord.voice.udp import BadPacketError, Packet, Socket, open_packet

if TYPE_CHECKING:
    from tests.discord.voice.server import VoiceServer

READY, DESCRIPTION, SPEAKING, HEARTBEAT_ACK, HELLO, RESUMED = 2, 4, 5, 6, 8, 9
CLIENTS_CONNECT, CLIENT_DISCONNECT = 11, 13
EXTERNAL_SENDER, PROPOSALS, ANNOUNCE_COMMIT = 25, 27, 29


@dataclass(eq=False)
class VoiceConnection:
    """Lives from IDENTIFY until the bot leaves; a RESUME puts a new WebSocket under it."""

    server: VoiceServer = field(repr=False)
    channel: Channel
    session_id: str
    token: str
    ssrc: int
    ws: web.WebSocketResponse | None = None
    udp: Socket | None = field(default=None, repr=False)
    mode: str = ""
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    dave_version: int = 0
    sequence: int = 0
    packets: list[Packet] = field(default_factory=list, repr=False)
    garbage: list[str] = field(default_factory=list)
    speaking: list[int] = field(default_factory=list)
    resumes: int = 0
    ears: list[Ear] = field(default_factory=list, repr=False)
    waiting_welcome: list[Ear] = field(default_factory=list, repr=False)
    epoch: int = 0

    @property
    def live(self) -> bool:
        return self.ws is not None and not self.ws.closed

    @property
    def frames(self) -> list[bytes]:
        """The opus frames heard so far, silence included, in order of arrival."""
        return [packet.payload for packet in self.packets]

    async def send(self, op: int, data: Any) -> None:
        if self.ws is None:
            return
        self.sequence += 1
        await self.ws.send_str(json.dumps({"op": op, "d": data, "seq": self.sequence}))

    async def send_binary(self, op: int, data: bytes) -> None:
        if self.ws is None:
            return
        self.sequence += 1
        await self.ws.send_bytes(struct.pack(">HB", self.sequence, op) + data)

    async def describe(self, mode: str) -> None:
        """SESSION_DESCRIPTION; in DAVE, the external sender follows."""
        self.mode = mode
        data: Json = {
            "mode": mode,
            "secret_key": list(self.key),
            "audio_codec": "opus",
            "video_codec": "H264",
            "media_session_id": secrets.token_hex(16),
            "dave_protocol_version": self.dave_version,
        }
        await self.send(DESCRIPTION, data)
        if self.udp and self.server.reports:
            self.udp.report(self.ssrc)
        if self.dave_version:
            await self.send_binary(EXTERNAL_SENDER, self.server.sender.package())
        self.server.world.changed()

    async def propose_listeners(self) -> None:
        """Asks the bot's group to take in everyone who listens."""
        people = self.server.listeners(self.channel)
        if not people:
            return
        package = self.server.sender.package()
        self.waiting_welcome = [Ear(user, self.channel.id, package) for user in people]
        messages = [
            self.server.sender.add(self.channel.id, self.epoch, ear.key_package)
            for ear in self.waiting_welcome
        ]
        await self.send_binary(PROPOSALS, mls.proposals(messages))

    async def commit(self, data: bytes) -> None:
        """The bot's commit goes back to it as the one chosen, its welcome to the listeners."""
        size = mls.commit_size(data)
        commit, welcome = data[:size], data[size:]
        for ear in self.waiting_welcome:
            ear.welcome(welcome)
        self.ears += self.waiting_welcome
        self.waiting_welcome = []
        self.epoch += 1
        await self.send_binary(ANNOUNCE_COMMIT, struct.pack(">H", 0) + commit)
        self.server.world.changed()

    def receive(self, datagram: bytes, at: float) -> None:
        """Decrypts one datagram; in DAVE, also end to end, with a listener's keys."""
        try:
            packet = open_packet(datagram, self.mode, self.key, at)
        except BadPacketError as error:
            self.garbage.append(str(error))
            return
        payload = packet.payload
        if self.dave_version and self.ears and not packet.silent:
            try:
                payload = self.ears[0].hear(self.server.world.bot.id, payload)
            except Exception as error:  # davey raises its own and built-in errors alike
                self.garbage.append(f"{type(error).__name__}: {error}")
                return
        self.packets.append(Packet(packet.at, packet.sequence, packet.timestamp, packet.ssrc, payload))
        self.server.world.changed()
