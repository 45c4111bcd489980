"""The unmodified voice client against the loopback voice server."""

from __future__ import annotations

import asyncio
import io
import struct
from itertools import pairwise

import davey
import discord
import numpy as np
import pytest
import soundfile
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from discord.oggparse import OggStream

from tests.discord.conftest import SampleGuild
from tests.discord.permissions import P
from tests.discord.state import STAGE, Channel
from tests.discord.voice.udp import AES_GCM, SILENCE, XCHACHA, open_packet
from tests.waiting import eventually, no_longer


class Packets(discord.AudioSource):
    """Plays opus frames as they are."""

    def __init__(self, frames: list[bytes]) -> None:
        self.frames = list(frames)

    def read(self) -> bytes:
        return self.frames.pop(0) if self.frames else b""

    def is_opus(self) -> bool:
        return True


def opus_frames(seconds: float) -> list[bytes]:
    """A rising tone as 20 ms opus frames."""
    time = np.arange(int(48_000 * seconds)) / 48_000
    tone = 0.3 * np.sin(2 * np.pi * (220 + 200 * time) * time)
    target = io.BytesIO()
    soundfile.write(target, np.stack([tone, tone], axis=1), 48_000, format="OGG", subtype="OPUS")
    target.seek(0)
    return list(OggStream(target).iter_packets())[2:]


async def connect(sample: SampleGuild, channel: Channel, within: float = 10) -> discord.VoiceClient:
    found = await sample.known(channel)
    assert isinstance(found, discord.VoiceChannel | discord.StageChannel)
    return await found.connect(timeout=within)


async def play(voice: discord.VoiceClient, frames: list[bytes]) -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    voice.play(Packets(frames), after=lambda _: loop.call_soon_threadsafe(done.set))
    await asyncio.wait_for(done.wait(), 20)


@pytest.mark.parametrize("dave", [False, True])
async def test_a_clip_arrives_whole(sample: SampleGuild, dave: bool) -> None:
    loopback = sample.loopback
    loopback.voice.dave = dave
    hall = loopback.voice_channel(sample.guild, "Hall")
    await sample.ann.join(hall)
    voice = await connect(sample, hall)
    connection = await loopback.voice.wait_connected(sample.guild)
    assert connection.mode == XCHACHA
    if dave:
        await loopback.world.until(lambda: connection.ears or None, 5, lambda: "nobody listens")
        await eventually(lambda: voice.voice_privacy_code is not None)
        assert connection.ears[0].privacy_code == voice.voice_privacy_code
    sent = opus_frames(0.6)
    await play(voice, sent)
    await loopback.voice.wait_frames(sample.guild, len(sent) + 5)
    heard = [frame for frame in connection.frames if frame != SILENCE]
    assert heard == sent
    assert connection.frames[-5:] == [SILENCE] * 5
    steps = [after.sequence - before.sequence for before, after in pairwise(connection.packets)]
    assert set(steps) == {1}, "no packet was lost"
    assert connection.garbage == []
    assert connection.speaking[:2] == [0, 1]
    await voice.disconnect()
    assert sample.loopback.world.bot.id not in sample.guild.voice_states


async def test_moves_and_disconnections(sample: SampleGuild) -> None:
    loopback = sample.loopback
    hall, attic = (loopback.voice_channel(sample.guild, name) for name in ("Hall", "Attic"))
    await sample.known(attic)
    voice = await connect(sample, hall)
    await loopback.voice.move_bot(sample.guild, attic)
    moved = await loopback.voice.wait_connected(sample.guild, connections=2)
    assert moved.channel is attic
    await loopback.voice.disconnect_bot(sample.guild)
    await no_longer(voice.is_connected, 5)


async def test_a_lost_session_is_joined_again_and_a_crashed_server_is_not(sample: SampleGuild) -> None:
    voice_server = sample.loopback.voice
    hall = sample.loopback.voice_channel(sample.guild, "Hall")
    await connect(sample, hall, within=1)
    await voice_server.hang_up(sample.guild, 4006)
    await voice_server.wait_connected(sample.guild, connections=2)
    # The client means to resume after 4015, but waits for updates that do not come in its state, and leaves.
    await voice_server.hang_up(sample.guild, 4015)
    bot = sample.loopback.world.bot
    await sample.loopback.world.until(
        lambda: True if bot.id not in sample.guild.voice_states else None,
        5,
        lambda: "the bot is still in voice",
    )


async def test_without_the_right_to_connect_nothing_answers(sample: SampleGuild) -> None:
    hall = sample.loopback.voice_channel(sample.guild, "Hall")
    sample.loopback.forbid_bot(hall, P.CONNECT)
    found = await sample.known(hall)
    assert isinstance(found, discord.VoiceChannel)
    with pytest.raises(TimeoutError):
        await found.connect(timeout=0.3, reconnect=False)


async def test_members_and_stages_are_seen(sample: SampleGuild) -> None:
    stage = sample.loopback.voice_channel(sample.guild, "Stage", stage=True)
    assert stage.kind == STAGE
    await sample.known(stage)
    moved = asyncio.create_task(sample.bot.wait_for("voice_state_update", timeout=5))
    await asyncio.sleep(0)
    await sample.ann.join(stage, deaf=True)
    member, before, after = await moved
    assert (member.id, before.channel, after.self_deaf) == (sample.ann.id, None, True)
    assert after.channel is await sample.known(stage)
    await sample.ann.leave(sample.guild)
    assert sample.ann.id not in sample.guild.voice_states


def test_the_other_encryption_mode_opens_too() -> None:
    key, header, frame = (
        bytes(range(32)),
        struct.pack(">BBHII", 0x80, 0x78, 7, 960, 11),
        b"opus frame of a clip",
    )
    counter = struct.pack(">I", 3)
    sealed = AESGCM(key).encrypt(counter + bytes(8), frame, header)
    packet = open_packet(header + sealed + counter, AES_GCM, key, 0.0)
    assert (packet.sequence, packet.timestamp, packet.ssrc, packet.payload) == (7, 960, 11, frame)


def test_the_dave_library_is_the_version_that_was_tried() -> None:
    assert davey.DAVE_PROTOCOL_VERSION == 1
