"""The source by itself, read as the voice client reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sessions.playback.playlist import PlaylistSource, Track, TrackError, packet_milliseconds, read_track

A = Track("a", (b"a0", b"a1", b"a2"))
B = Track("b", (b"b0", b"b1"))


def drained(source: PlaylistSource) -> list[bytes]:
    return list(iter(source.read, b""))


def test_tracks_follow_each_other_and_are_announced() -> None:
    started: list[str] = []
    source = PlaylistSource(started.append)
    source.start(A)
    source.follow_with(B)
    assert drained(source) == [*A.packets, *B.packets]
    assert started == ["a", "b"]
    assert source.current is None


def test_skip_goes_on_with_what_follows_or_ends() -> None:
    source = PlaylistSource()
    source.start(A)
    source.follow_with(B)
    source.read()
    source.skip()
    assert source.read() == b"b0"
    source.skip()
    assert source.read() == b""


def test_replay_resume_in_the_middle_and_rewind() -> None:
    source = PlaylistSource()
    source.start(A, at=2)
    assert source.read() == b"a2"
    source.rewind()
    assert source.read() == b"a0"
    source.read()
    source.rewind(1)
    assert drained(source) == [b"a1", b"a2"]


@given(st.lists(st.sampled_from(["read", "skip", "follow", "rewind", "start"]), max_size=40))
def test_no_order_of_use_reads_outside_a_track(steps: list[str]) -> None:
    source = PlaylistSource()
    for step in steps:
        if step == "read":
            assert source.read() in {*A.packets, *B.packets, b""}
        elif step == "skip":
            source.skip()
        elif step == "follow":
            source.follow_with(B)
        elif step == "rewind":
            source.rewind()
        else:
            source.start(A, at=99)
    assert len(drained(source)) <= len(A.packets) + len(B.packets)


@pytest.mark.parametrize(
    ("first", "milliseconds"),
    [(b"\xfc", 20), (b"\xf8\xff\xfe", 20), (b"\xe0", 2.5), (b"\xfd", 40), (b"\xff\x03", 60), (b"", 0)],
)
def test_length_of_a_packet(first: bytes, milliseconds: float) -> None:
    assert packet_milliseconds(first) == milliseconds


@pytest.mark.parametrize("content", [b"", b"RIFF", b"OggS"])
def test_other_files_are_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.ogg"
    path.write_bytes(content)
    with pytest.raises(TrackError, match=r"clip\.ogg"):
        read_track(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrackError, match="cannot be read"):
        read_track(tmp_path / "gone.ogg")
