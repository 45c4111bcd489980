from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile
from mutagen.id3 import ID3
from mutagen.mp3 import MP3
from PIL import Image

from albumgen_core.audio.encode import decode_mp3, encode_clip
from albumgen_core.audio.mastering import integrated_loudness
from albumgen_core.audio.tags import ClipTags
from albumgen_core.audio.types import Audio
from albumgen_core.errors import MixtapeError, MixtapeTooLongError
from albumgen_core.mixtape import tape as tape_module
from albumgen_core.mixtape.tape import make_mixtape
from albumgen_core.mixtape.task import make_mixtape_in_child
from albumgen_core.mixtape.values import Chapter, Track
from tests.waiting import quiet

TAGS = ClipTags("t", "sketch", "jazz", 100, "C", None, None, "p", 1)


def tone(
    path: Path, hertz: float, seconds: float, *, rate: int = 44100, channels: int = 2, level: float = -14
) -> Path:
    """A clip of one sine, at a loudness."""
    time = np.arange(round(seconds * rate)) / rate
    sound = np.tile(0.3 * np.sin(2 * np.pi * hertz * time), (channels, 1)).astype(np.float32)
    path.write_bytes(encode_clip(Audio(sound, rate), TAGS, loudness_lufs=level).mp3)
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    folder = tmp_path_factory.mktemp("clips")
    cover = folder / "cover.jpg"
    noise = np.random.default_rng(1).integers(0, 255, (600, 600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(cover)
    return [
        Track(tone(folder / "a.mp3", 330, 4), "Ana: Größe <b>\u202e 🎺", cover),
        Track(tone(folder / "b.mp3", 660, 5, rate=32000, channels=1, level=-20), "Bo: two", cover),
        Track(tone(folder / "c.mp3", 1320, 3), "Cy: three"),
    ]


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def loudest(sound: Audio, second: float) -> float:
    """Frequency in Hz that leads in the quarter second around `second`."""
    middle, half = round(second * sound.sample_rate), sound.sample_rate // 8
    window = sound.samples[0, middle - half : middle + half]
    spectrum = np.abs(np.fft.rfft(window * np.hanning(len(window))))
    return float(np.argmax(spectrum) * sound.sample_rate / len(window))


def test_takes_follow_each_other_and_meet_in_crossfades(clips: list[Track], tmp_path: Path) -> None:
    tape = make_mixtape(clips, tmp_path / "tape.mp3", title="Friday", crossfade=1.0)
    sound = decode_mp3(tape.path)
    assert sound.seconds == pytest.approx(4 + 5 + 3 - 2, abs=0.06)
    assert tape.seconds == pytest.approx(sound.seconds, abs=0.06)
    assert (sound.channels, sound.sample_rate, tape.kbps) == (2, 44100, 192)
    for second, hertz in ((1.5, 330), (5.5, 660), (9.0, 1320)):
        assert loudest(sound, second) == pytest.approx(hertz, abs=8)
    # In the middle of a crossfade both are there: no hole.
    middle = sound.samples[0, round(3.4 * 44100) : round(3.6 * 44100)]
    plain = sound.samples[0, round(1.4 * 44100) : round(1.6 * 44100)]
    assert 0.7 < np.sqrt(np.mean(middle**2)) / np.sqrt(np.mean(plain**2)) < 1.3
    assert list(tmp_path.iterdir()) == [tape.path]


def test_quiet_and_loud_clips_end_at_one_loudness(clips: list[Track], tmp_path: Path) -> None:
    sound = decode_mp3(make_mixtape(clips, tmp_path / "tape.mp3", title="x").path)
    levels = []
    for start, end in ((0.5, 2.5), (4.5, 6.5), (8.2, 9.6)):
        part = sound.samples[:, round(start * 44100) : round(end * 44100)]
        level = integrated_loudness(np.ascontiguousarray(part), 44100)
        assert level is not None
        levels.append(level)
    assert max(levels) - min(levels) < 1.0
    assert np.abs(sound.samples).max() < 1.0


def test_gapless_joins_lose_and_add_no_sample(clips: list[Track], tmp_path: Path) -> None:
    tape = make_mixtape([clips[0], clips[2]], tmp_path / "tape.mp3", title="x", crossfade=0)
    own = [decode_mp3(clips[i].mp3).samples.shape[1] for i in (0, 2)]
    assert decode_mp3(tape.path).samples.shape[1] == sum(own)
    assert tape.chapters[0].end_ms == tape.chapters[1].start_ms == own[0] * 1000 // 44100


def test_chapters_stand_in_the_file_with_titles_and_pictures(clips: list[Track], tmp_path: Path) -> None:
    tape = make_mixtape(clips, tmp_path / "tape.mp3", title="Friday's covers")
    tag: Any = ID3(tape.path, translate=False)  # type: ignore[no-untyped-call]
    assert tag.version == (2, 3, 0)
    assert str(tag["TIT2"]) == "Friday's covers"
    toc = tag["CTOC:toc"]
    assert (int(toc.flags), toc.child_element_ids) == (3, ["chp0", "chp1", "chp2"])
    chapters = [tag[f"CHAP:{name}"] for name in toc.child_element_ids]
    told = [
        Chapter(str(chapter.sub_frames["TIT2"]), chapter.start_time, chapter.end_time) for chapter in chapters
    ]
    assert told == list(tape.chapters)
    assert told[0].title == "Ana: Größe <b> 🎺"  # what would turn the direction of the text is gone
    assert [chapter.start_time for chapter in chapters] == [0, 3500, 7500]
    assert told[-1].end_ms == pytest.approx(10_000, abs=60)
    assert [bool(chapter.sub_frames.getall("APIC")) for chapter in chapters] == [True, True, False]
    info: Any = MP3(tape.path).info  # type: ignore[no-untyped-call]
    assert info.length == pytest.approx(tape.seconds, abs=0.1)


@pytest.mark.parametrize("max_bytes", [250_000, 150_000, 90_000, 75_000])
def test_it_fits_the_upload_limit_and_sound_goes_before_pictures(
    clips: list[Track], tmp_path: Path, max_bytes: int
) -> None:
    tape = make_mixtape(clips, tmp_path / "tape.mp3", title="x", max_bytes=max_bytes)
    assert tape.path.stat().st_size == tape.size <= max_bytes
    assert decode_mp3(tape.path).channels == tape.channels
    assert tape.size > 0.6 * max_bytes  # room is not wasted
    assert (tape.channels == 1) == (tape.kbps < 64)


def test_too_long_is_said_before_anything_is_encoded(
    clips: list[Track], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tape_module, "_encode", lambda *_: pytest.fail("encoded in vain"))
    with pytest.raises(MixtapeTooLongError, match=r"does not fit into 0\.0381 MB") as raised:
        make_mixtape(clips, tmp_path / "tape.mp3", title="x", max_bytes=40_000)
    assert raised.value.code == "too_long"
    assert list(tmp_path.iterdir()) == []


def test_damaged_and_missing_clips_are_left_out_and_named(clips: list[Track], tmp_path: Path) -> None:
    (tmp_path / "broken.mp3").write_bytes(b"no sound")
    (tmp_path / "cover.jpg").write_bytes(b"no picture")
    extra = [Track(tmp_path / "broken.mp3", "broken"), Track(tmp_path / "gone.mp3", "gone")]
    one = Track(clips[0].mp3, "kept", tmp_path / "cover.jpg")
    tape = make_mixtape([extra[0], one, extra[1]], tmp_path / "tape.mp3", title="x")
    assert [chapter.title for chapter in tape.chapters] == ["kept"]
    assert tape.left_out == ("broken", "gone")
    with pytest.raises(MixtapeError, match="no clip left") as raised:
        make_mixtape(extra, tmp_path / "none.mp3", title="x")
    assert raised.value.code == "empty"


def test_a_mono_tape_stays_mono(clips: list[Track], tmp_path: Path) -> None:
    tape = make_mixtape([clips[1]], tmp_path / "tape.mp3", title="x")
    assert (tape.channels, tape.kbps, decode_mp3(tape.path).sample_rate) == (1, 128, 32000)


def test_very_short_clips_keep_two_thirds_of_themselves(tmp_path: Path) -> None:
    tracks = [Track(tone(tmp_path / f"{i}.mp3", 440, 0.6), str(i)) for i in range(3)]
    tape = make_mixtape(tracks, tmp_path / "tape.mp3", title="x", crossfade=5)
    assert tape.seconds == pytest.approx(3 * 0.6 - 2 * 0.2, abs=0.02)
    assert all(chapter.end_ms > chapter.start_ms for chapter in tape.chapters)


@pytest.mark.slow
async def test_a_process_of_its_own_makes_the_same_tape(clips: list[Track], tmp_path: Path) -> None:
    here = make_mixtape(clips, tmp_path / "here.mp3", title="x")
    ticks = 0

    async def count() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    counting = asyncio.create_task(count())
    aside = await make_mixtape_in_child(clips, tmp_path / "aside.mp3", title="x")
    counting.cancel()
    assert ticks > 5  # the event loop went on
    assert aside.path.read_bytes() == here.path.read_bytes()
    assert (aside.chapters, aside.seconds, aside.kbps) == (here.chapters, here.seconds, here.kbps)


@pytest.mark.slow
async def test_what_goes_wrong_aside_is_told_here(clips: list[Track], tmp_path: Path) -> None:
    with pytest.raises(MixtapeTooLongError):
        await make_mixtape_in_child(clips, tmp_path / "tape.mp3", title="x", max_bytes=30_000)
    with pytest.raises(FileNotFoundError):
        await make_mixtape_in_child(clips, tmp_path / "no" / "folder" / "tape.mp3", title="x")
    assert left_in(tmp_path) == []


async def test_nothing_is_left_running_when_the_wait_ends(clips: list[Track], tmp_path: Path) -> None:
    (tmp_path / ".mixtape-of-a-killed-one").mkdir()
    with pytest.raises(MixtapeError, match="too long"):
        await make_mixtape_in_child(clips, tmp_path / "tape.mp3", title="x", timeout=0.05)
    waiting = asyncio.create_task(make_mixtape_in_child(clips, tmp_path / "tape.mp3", title="x"))
    await quiet(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    names = [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]
    assert not [name for name in names if "mixtape" in name]
    assert left_in(tmp_path) == []


def test_whoever_orders_a_tape_loads_no_signal_processing() -> None:
    code = (
        "import albumgen_core.mixtape.task, sys;"
        "print({'torch', 'discord', 'chromadb', 'scipy', 'soundfile'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_sound_files_of_other_kinds_are_no_clips(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "six.wav", np.zeros((4410, 6), np.float32), 44100)
    with pytest.raises(MixtapeError, match="no clip left"):
        make_mixtape([Track(tmp_path / "six.wav", "six")], tmp_path / "tape.mp3", title="x")
