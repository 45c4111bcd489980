"""Clips as members hear them: decrypted, decoded, compared with what was composed."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import discord
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import correlate

from albumgen_core.audio.encode import LOUDNESS_LUFS, ClipTags, encode_clip
from albumgen_core.audio.mastering import master
from albumgen_core.audio.types import Audio
from bot.sessions.playback.playlist import PlaylistSource, Track, read_track
from bot.sessions.playback.voice import VoiceConnection, VoiceEnd
from tests.bot.sessions.ogg import decoded
from tests.discord.conftest import SampleGuild
from tests.discord.state import Channel
from tests.discord.voice.connection import VoiceConnection as ServerSide
from tests.discord.voice.udp import AES_GCM, SILENCE, XCHACHA
from tests.waiting import quiet

RATE = 48_000


def music(seconds: float) -> Audio:
    """A glide over a bass: no stretch of it resembles another."""
    at = np.arange(int(RATE * seconds)) / RATE
    sound = 0.2 * np.sin(2 * np.pi * (220 + 150 * at) * at) + 0.1 * np.sin(2 * np.pi * 55 * at)
    return Audio(np.stack([sound, np.roll(sound, 300)]).astype(np.float32), RATE)


def clip(folder: Path, seconds: float, name: str = "clip.ogg") -> Path:
    tags = ClipTags("A", "sketch", "rock", 120.0, "A", "minor", None, "A clip.", 0)
    path = folder / name
    path.write_bytes(encode_clip(music(seconds), tags).ogg)
    return path


def alike(heard: NDArray[np.float64], sent: NDArray[np.float32]) -> float:
    """Pearson correlation of the left channels once they are aligned."""
    a, b = heard[:, 0], sent[0].astype(np.float64)
    lag = int(np.argmax(correlate(a, b, mode="full", method="fft"))) - (len(b) - 1)
    a, b = (a[lag:], b) if lag >= 0 else (a, b[-lag:])
    size = min(len(a), len(b))
    assert size > len(sent[0]) - RATE // 50, "all of the clip is there"
    return float(np.corrcoef(a[:size], b[:size])[0, 1])


class Ends:
    """Waits for a link's idleness and its end."""

    def __init__(self) -> None:
        self.idle = asyncio.Event()
        self.over = asyncio.Event()

    def link(self, channel: discord.abc.GuildChannel, source: PlaylistSource) -> VoiceConnection:
        assert isinstance(channel, discord.VoiceChannel | discord.StageChannel)
        return VoiceConnection(
            channel,
            source,
            on_idle=self.idle.set,
            on_end=lambda _: self.over.set(),
            tries=3,
            timeout=2.0,
            pause=0.05,
        )


async def joined(sample: SampleGuild, ends: Ends, *tracks: Track) -> tuple[VoiceConnection, Channel]:
    hall = sample.loopback.voice_channel(sample.guild, "Hall")
    await sample.ann.join(hall)
    link = ends.link(await sample.known(hall), PlaylistSource())
    for number, track in enumerate(tracks):
        if number:
            link.source.follow_with(track)
        else:
            link.source.start(track)
    return link, hall


def nothing_lost(connection: ServerSide) -> bool:
    return {after.sequence - before.sequence for before, after in pairwise(connection.packets)} == {1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modes", "dave", "chosen"),
    [
        ([XCHACHA, AES_GCM], False, AES_GCM),
        ([XCHACHA], False, XCHACHA),
        ([AES_GCM], False, AES_GCM),
        ([AES_GCM, XCHACHA], True, AES_GCM),
    ],
    ids=["either", "xchacha", "aes", "dave"],
)
async def test_a_clip_is_heard_as_it_was_composed(
    sample: SampleGuild, tmp_path: Path, modes: list[str], dave: bool, chosen: str
) -> None:
    sample.loopback.voice.modes = modes
    sample.loopback.voice.dave = dave
    track = read_track(clip(tmp_path, 2.0))
    ends = Ends()
    link, _ = await joined(sample, ends, track)
    assert await link.join()
    link.play()
    await asyncio.wait_for(ends.idle.wait(), 10)
    connection = await sample.loopback.voice.wait_frames(sample.guild, len(track.packets) + 5)
    frames = [frame for frame in connection.frames if frame != SILENCE]
    assert frames == list(track.packets)
    assert connection.frames[-5:] == [SILENCE] * 5
    assert nothing_lost(connection)
    assert connection.garbage == []
    assert connection.mode == chosen
    if dave:
        assert connection.ears, "somebody listened end to end"
    assert alike(decoded(frames), master(music(2.0), LOUDNESS_LUFS).audio.samples) > 0.99
    await link.leave()


async def test_the_next_clip_follows_without_a_gap(sample: SampleGuild, tmp_path: Path) -> None:
    first, second = (read_track(clip(tmp_path, s, f"{s}.ogg"), str(s)) for s in (0.5, 0.7))
    ends = Ends()
    link, _ = await joined(sample, ends, first, second)
    assert await link.join()
    link.play()
    await asyncio.wait_for(ends.idle.wait(), 10)
    connection = sample.loopback.voice.of(sample.guild)
    heard = connection.frames[: len(first.packets) + len(second.packets)]
    assert heard == [*first.packets, *second.packets]
    assert nothing_lost(connection)
    await link.leave()


@pytest.mark.slow
@pytest.mark.parametrize("code", [4006, 4009, 4015])
async def test_a_lost_connection_is_joined_again_and_goes_on(
    sample: SampleGuild, tmp_path: Path, code: int
) -> None:
    track = read_track(clip(tmp_path, 1.5))
    ends = Ends()
    link, _ = await joined(sample, ends, track)
    assert await link.join()
    link.play()
    before = await sample.loopback.voice.wait_frames(sample.guild, 30)
    await sample.loopback.voice.hang_up(sample.guild, code)
    after = await sample.loopback.voice.wait_connected(sample.guild, connections=2)
    await asyncio.wait_for(ends.idle.wait(), 10)
    assert after is not before
    rest = [frame for frame in after.frames if frame != SILENCE]
    assert rest == list(track.packets[-len(rest) :])
    heard_before = sum(frame != SILENCE for frame in before.frames)
    assert len(rest) + heard_before >= len(track.packets), "what was missed is played again"
    await link.leave()


@pytest.mark.parametrize(("code", "ending"), [(4021, VoiceEnd.REFUSED), (4022, VoiceEnd.REFUSED)])
async def test_some_codes_end_it(sample: SampleGuild, tmp_path: Path, code: int, ending: VoiceEnd) -> None:
    ends = Ends()
    link, _ = await joined(sample, ends, read_track(clip(tmp_path, 1.0)))
    assert await link.join()
    await sample.loopback.voice.hang_up(sample.guild, code)
    await asyncio.wait_for(ends.over.wait(), 10)
    assert link.ending is ending
    assert len(sample.loopback.voice.connections[sample.guild.id]) == 1


async def test_a_channel_whose_encryption_we_cannot_offer_ends_it_at_once(sample: SampleGuild) -> None:
    ends = Ends()
    link, _ = await joined(sample, ends)
    sample.loopback.voice.refuse_with = [4017] * 5
    assert not await link.join()
    assert link.ending is VoiceEnd.ENCRYPTION
    assert len(sample.loopback.voice.refuse_with) == 4, "it was not tried again"


async def test_refusals_are_not_tried_for_ever(sample: SampleGuild) -> None:
    ends = Ends()
    link, _ = await joined(sample, ends)
    sample.loopback.voice.refuse_with = [4006] * 9
    assert not await link.join()
    assert link.ending is VoiceEnd.UNREACHABLE
    assert len(sample.loopback.voice.refuse_with) == 6


async def test_a_move_is_followed_and_a_removal_is_final(sample: SampleGuild, tmp_path: Path) -> None:
    attic = sample.loopback.voice_channel(sample.guild, "Attic")
    ends = Ends()
    link, _ = await joined(sample, ends, read_track(clip(tmp_path, 3.0)))
    assert await link.join()
    link.play()
    await sample.loopback.voice.wait_frames(sample.guild, 10)
    await sample.loopback.voice.move_bot(sample.guild, attic)
    moved = await sample.loopback.voice.wait_connected(sample.guild, connections=2)
    assert moved.channel is attic
    await sample.loopback.voice.wait_frames(sample.guild, 10)
    assert link.channel.id == attic.id
    assert link.ending is None
    await sample.loopback.voice.disconnect_bot(sample.guild)
    await asyncio.wait_for(ends.over.wait(), 10)
    assert link.ending is VoiceEnd.REMOVED


async def test_another_voice_server_in_mid_clip_costs_no_frame(sample: SampleGuild, tmp_path: Path) -> None:
    track = read_track(clip(tmp_path, 1.5))
    ends = Ends()
    link, _ = await joined(sample, ends, track)
    assert await link.join()
    link.play()
    before = await sample.loopback.voice.wait_frames(sample.guild, 25)
    await sample.loopback.voice.change_region(sample.guild)
    after = await sample.loopback.voice.wait_connected(sample.guild, connections=2)
    await asyncio.wait_for(ends.idle.wait(), 10)
    heard = [frame for one in (before, after) for frame in one.frames if frame != SILENCE]
    assert link.ending is None
    assert len(heard) >= len(track.packets) - 3, "some frames are on their way while it changes over"
    assert heard == [frame for frame in track.packets if frame in set(heard)]
    assert 1 in after.speaking, "it is announced there too"
    await link.leave()


async def test_a_new_voice_server_that_refuses_is_no_removal(sample: SampleGuild, tmp_path: Path) -> None:
    ends = Ends()
    link, _ = await joined(sample, ends, read_track(clip(tmp_path, 1.0)))
    assert await link.join()
    link.play()
    await sample.loopback.voice.wait_frames(sample.guild, 10)
    sample.loopback.voice.refuse_with = [4006]
    await sample.loopback.voice.change_region(sample.guild)
    await sample.loopback.voice.wait_connected(sample.guild, connections=2)
    await asyncio.wait_for(ends.idle.wait(), 10)
    assert link.ending is None
    await link.leave()


async def test_a_channel_that_is_deleted_is_the_end(sample: SampleGuild, tmp_path: Path) -> None:
    ends = Ends()
    link, hall = await joined(sample, ends, read_track(clip(tmp_path, 1.0)))
    assert await link.join()
    link.play()
    await sample.loopback.voice.wait_frames(sample.guild, 10)
    sample.loopback.delete_channel(hall)
    await sample.loopback.voice.disconnect_bot(sample.guild)
    await asyncio.wait_for(ends.over.wait(), 10)
    assert link.ending is VoiceEnd.REMOVED
    assert len(sample.loopback.voice.connections[sample.guild.id]) == 1


async def test_who_comes_late_is_told_at_once_that_we_speak(sample: SampleGuild, tmp_path: Path) -> None:
    ends = Ends()
    link, hall = await joined(sample, ends, read_track(clip(tmp_path, 1.5)))
    assert await link.join()
    link.play()
    connection = await sample.loopback.voice.wait_frames(sample.guild, 10)
    assert connection.speaking == [0, 1]
    await sample.owner.join(hall)
    await sample.loopback.world.until(
        lambda: True if connection.speaking == [0, 1, 1] else None, 2, lambda: f"{connection.speaking}"
    )
    link.pause()
    await sample.owner.leave(sample.guild)
    await sample.owner.join(hall)
    await quiet(0.1)
    assert connection.speaking[3:] == [0], "who is silent says nothing"
    await link.leave()


@pytest.mark.parametrize("allowed", [True, False])
async def test_on_a_stage_it_speaks_or_raises_its_hand(
    sample: SampleGuild, tmp_path: Path, allowed: bool
) -> None:
    stage = sample.loopback.voice_channel(sample.guild, "Stage", stage=True)
    if not allowed:
        # Only the first request, "speak"; raising a hand is another.
        sample.loopback.faults.refuse("PATCH /guilds/*/voice-states/@me", 403, 50013, "Missing Permissions")
    ends = Ends()
    link = ends.link(await sample.known(stage), PlaylistSource())
    assert await link.join()
    mine = sample.guild.voice_states[sample.loopback.world.bot.id]
    assert mine["suppress"] is not allowed
    assert (mine["request_to_speak_timestamp"] is not None) is not allowed
    await link.leave()


async def test_pause_sends_silence_and_goes_on_where_it_was(sample: SampleGuild, tmp_path: Path) -> None:
    track = read_track(clip(tmp_path, 1.0))
    ends = Ends()
    link, _ = await joined(sample, ends, track)
    assert await link.join()
    link.play()
    connection = await sample.loopback.voice.wait_frames(sample.guild, 10)
    link.pause()
    await sample.loopback.world.until(
        lambda: True if connection.frames[-5:] == [SILENCE] * 5 else None, 5, lambda: "no silence"
    )
    held = link.source.position
    assert 0 < held < len(track.packets)
    link.resume()
    await asyncio.wait_for(ends.idle.wait(), 10)
    assert [frame for frame in connection.frames if frame != SILENCE] == list(track.packets)
    await link.leave()
