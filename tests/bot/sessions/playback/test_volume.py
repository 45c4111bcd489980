"""Quieter copies and joints, made by the real process, heard as a listener's decoder hears them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from albumgen_core.audio.opus import LOOKAHEAD, PACKET, RATE, encode_opus
from bot.sessions.playback import volume
from bot.sessions.playback.play_queue import PlayQueue, QueueItem
from bot.sessions.playback.playlist import PlaylistSource, Track, TrackError, read_track
from bot.sessions.playback.volume import TrackReader, stepped
from tests.bot.sessions.ogg import decoded


def clip(folder: Path, hertz: float, seconds: float) -> Path:
    at = np.arange(round(seconds * RATE)) / RATE
    sound = np.tile(0.3 * np.sin(2 * np.pi * hertz * at)[:, None], (1, 2)).astype(np.float32)
    folder.mkdir()
    (folder / "clip.ogg").write_bytes(encode_opus(sound))
    return folder


def level(sound: NDArray[np.float64]) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(sound**2))))


def tone(sound: NDArray[np.float64], hertz: float) -> float:
    """Amplitude of one frequency in the left channel."""
    at = np.arange(len(sound)) / RATE
    return float(2 * abs(np.mean(sound[:, 0] * np.exp(-2j * np.pi * hertz * at))))


def steepest(sound: NDArray[np.float64]) -> float:
    """The largest step of the left channel's slope: a click has a large one, a sine a small one."""
    return float(np.abs(np.diff(sound[:, 0], 2)).max())


def played(source: PlaylistSource) -> list[bytes]:
    return list(iter(source.read, b""))


async def test_at_full_volume_the_clip_is_played_as_it_was_made(tmp_path: Path) -> None:
    folder = clip(tmp_path / "r", 440, 0.5)
    track = await TrackReader().track_for(folder, 1.0, "job")
    assert track == read_track(folder / "clip.ogg", "job")
    assert [path.name for path in folder.iterdir()] == ["clip.ogg"]


async def test_a_quieter_copy_is_as_much_quieter_and_of_the_same_frames(tmp_path: Path) -> None:
    folder = clip(tmp_path / "r", 440, 1.0)
    volumes = TrackReader()
    loud, half = await volumes.track_for(folder), await volumes.track_for(folder, 0.5, "job")
    assert (half.key, len(half.packets)) == ("job", len(loud.packets))
    middle = slice(RATE // 4, RATE // 2)
    difference = level(decoded(half.packets)[middle]) - level(decoded(loud.packets)[middle])
    assert difference == pytest.approx(-10, abs=0.3)
    written = (folder / "clip-050.ogg").stat()
    assert await volumes.track_for(folder, 0.52, "job") == half
    assert (folder / "clip-050.ogg").stat() == written, "it is made once"


async def test_the_volume_changes_in_mid_clip_without_a_click(tmp_path: Path) -> None:
    folder = clip(tmp_path / "r", 440, 1.0)
    volumes = TrackReader()
    loud, half = await volumes.track_for(folder), await volumes.track_for(folder, 0.5)
    source = PlaylistSource()
    source.start(loud)
    heard = [source.read() for _ in range(20)]
    source.swap(half)
    assert source.position == 20
    heard += played(source)
    assert heard == [*loud.packets[:20], *half.packets[20:]]
    sound = decoded(heard)[PACKET * 10 : PACKET * 40]
    whole = decoded(loud.packets)[PACKET * 10 : PACKET * 40]
    assert steepest(sound) < 1.5 * steepest(whole)
    levels = [level(sound[start : start + PACKET]) for start in range(0, len(sound), PACKET)]
    assert levels[-1] - levels[0] == pytest.approx(-10, abs=0.5)
    assert all(after - before < 0.5 for before, after in pairwise(levels)), "it never gets louder on the way"


async def test_a_joint_takes_one_clip_into_the_next(tmp_path: Path) -> None:
    first, second = clip(tmp_path / "a", 440, 1.5), clip(tmp_path / "b", 880, 1.5)
    volumes = TrackReader()
    joint = await volumes.joint(first, second, 0.4)
    assert len(joint) == 20
    a, b = await volumes.track_for(first, key="a"), await volumes.track_for(second, key="b")
    started: list[str] = []
    source = PlaylistSource(started.append)
    source.start(a)
    source.follow_with(b, joint)
    heard = played(source)
    assert heard == [*a.packets[:-20], *joint, *b.packets[20:]]
    assert started == ["a", "b"]
    sound = decoded(heard)
    seam = (len(a.packets) - 20) * PACKET - LOOKAHEAD
    # The far end of the first clip is silence that fills up its last packet; clicks would stand out by far.
    assert steepest(sound[PACKET : seam + 18 * PACKET]) < 1.5 * steepest(decoded(b.packets)[PACKET:-PACKET])
    before, middle, after = (sound[seam + n * PACKET : seam + (n + 4) * PACKET] for n in (-8, 8, 24))
    assert tone(before, 440) > 0.28
    assert tone(before, 880) < 0.01
    assert tone(middle, 440) > 0.15
    assert tone(middle, 880) > 0.15
    assert tone(after, 880) > 0.28
    assert tone(after, 440) < 0.01
    assert len({level(part) // 3 for part in (before, middle, after)}) <= 2, "no hole in the middle"


async def test_covers_overlap_and_two_takes_of_one_cover_do_not(tmp_path: Path) -> None:
    first, second = clip(tmp_path / "a", 440, 1.0), clip(tmp_path / "b", 880, 1.0)
    volumes = TrackReader()

    async def join(one: Path, other: Path, volume: float) -> Sequence[bytes]:
        return await volumes.joint(one, other, 0.2, volume)

    queue = PlayQueue(volumes.track_for, lambda: None, 0.5, join)
    playing, following = await queue.load(QueueItem(1, 0, first)), await queue.load(QueueItem(2, 0, second))
    a, b = playing.track, following.track
    queue.begin(playing)
    queue.follow(following)
    await queue.blend()
    heard = played(queue.source)
    assert len(heard) == len(a.packets) + len(b.packets) - 10
    assert heard[: len(a.packets) - 10] == list(a.packets[:-10])
    assert heard[len(a.packets) :] == list(b.packets[10:])
    queue.begin(playing)
    queue.follow(await queue.load(QueueItem(1, 1, second)))
    await queue.blend()
    assert played(queue.source) == [*a.packets, *b.packets]


async def test_what_is_too_short_or_gone_has_no_joint(tmp_path: Path) -> None:
    first, second = clip(tmp_path / "a", 440, 0.2), clip(tmp_path / "b", 880, 1.0)
    assert await TrackReader().joint(first, second, 1.0) == ()
    (second / "clip.ogg").unlink()
    with pytest.raises(TrackError):
        await TrackReader().joint(first, second, 1.0)


async def test_a_clip_that_cannot_be_made_quieter_is_played_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volume, "_MODULE", "albumgen_core.no_such_module")
    folder = clip(tmp_path / "r", 440, 0.5)
    assert await TrackReader().track_for(folder, 0.5) == read_track(folder / "clip.ogg")
    assert "no quieter copy" in caplog.text


def test_whoever_skips_or_rewinds_hears_the_next_clip_from_its_own_beginning() -> None:
    a, b = Track("a", (b"a0", b"a1", b"a2", b"a3")), Track("b", (b"b0", b"b1", b"b2"))
    source = PlaylistSource()
    source.start(a)
    source.follow_with(b, (b"j0", b"j1"))
    source.read()
    source.skip()
    assert played(source) == [b"b0", b"b1", b"b2"]
    source.start(a)
    source.follow_with(b, (b"j0", b"j1"))
    assert [source.read() for _ in range(3)] == [b"a0", b"a1", b"j0"]
    assert source.current == b
    source.rewind()
    assert played(source) == [b"b0", b"b1", b"b2"]


def test_a_joint_that_comes_too_late_is_left_out() -> None:
    a, b = Track("a", (b"a0", b"a1", b"a2", b"a3")), Track("b", (b"b0", b"b1", b"b2"))
    source = PlaylistSource()
    source.start(a, at=3)
    source.follow_with(b, (b"j0", b"j1"))
    assert played(source) == [b"a3", b"b0", b"b1", b"b2"]


def test_a_rendering_of_something_else_is_not_swapped_in() -> None:
    source = PlaylistSource()
    source.start(Track("a", (b"a0", b"a1")))
    source.swap(Track("b", (b"b0", b"b1")))
    source.swap(Track("a", (b"x0",)))
    assert played(source) == [b"a0", b"a1"]


def test_volumes_come_in_steps() -> None:
    assert [stepped(v) for v in (0.0, 0.05, 0.51, 0.99, 3.0)] == pytest.approx([0.05, 0.05, 0.5, 1.0, 1.0])
