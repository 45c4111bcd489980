"""A clip sounds as loud as every other, fits its budget, keeps its length and says what it is."""

from __future__ import annotations

import io
import itertools
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from discord.oggparse import OggStream
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen.id3 import ID3
from mutagen.mp3 import MP3
from mutagen.oggopus import OggOpus
from PIL import Image
from scipy.signal import resample_poly

from albumgen_core.audio import encode as clip_module
from albumgen_core.audio import ffmpeg
from albumgen_core.audio.encode import ClipTags, EncodedClip, begin_clip, decode_mp3, encode_clip, write_clip
from albumgen_core.audio.mastering import CEILING_DB, MAX_GAIN_DB, integrated_loudness, master, true_peaks
from albumgen_core.audio.tags import MAX_PROMPT
from albumgen_core.audio.types import Audio
from albumgen_core.cover.read import Cover
from albumgen_core.errors import ClipError

COVER = Cover(Image.effect_noise((300, 300), 80).convert("RGB"), "0" * 64).to_jpeg()
TAGS = ClipTags(
    title="Indie rock in C# minor, 97 BPM",
    engine="sketch",
    genre="indie rock",
    tempo=96.6,
    key="C#",
    mode="minor",
    cover_jpeg=COVER,
    prompt="A dreamy indie rock piece with a steady beat.",
    seed=1234,
)


def music(seconds: float, rate: int = 44100, channels: int = 2, level: float = 0.2) -> Audio:
    """A chord that is struck twice a second, over a bass; the channels differ a little."""
    time = np.arange(round(seconds * rate)) / rate
    strike = np.exp(-4 * (time % 0.5))
    sound = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220.0, 277.2, 329.6)) * strike
    sound = sound + 0.7 * np.sin(2 * np.pi * 55 * time)
    panned = np.stack([sound, 0.8 * np.roll(sound, rate // 200)][:channels])
    return Audio((level * panned / 3).astype(np.float32), rate)


def loudness(audio: Audio) -> float:
    measured = integrated_loudness(audio.samples, audio.sample_rate)
    assert measured is not None
    return measured


def peak_db(audio: Audio) -> float:
    return 20 * math.log10(float(true_peaks(audio.samples).max()))


@pytest.fixture(scope="module")
def clip() -> EncodedClip:
    return encode_clip(music(3), TAGS)


# Sound


@pytest.mark.parametrize("rate", [32000, 44100, 48000, 24000])
@pytest.mark.parametrize("channels", [1, 2])
def test_length_loudness_and_channels_survive(rate: int, channels: int) -> None:
    audio = music(2.5, rate, channels)
    encoded = encode_clip(audio, TAGS)
    heard = decode_mp3(encoded.mp3)
    assert heard.seconds == pytest.approx(2.5, abs=0.1)
    assert heard.channels == channels
    assert heard.sample_rate == (rate if rate != 24000 else 44100)
    assert loudness(heard) == pytest.approx(-14, abs=1)
    assert encoded.loudness_lufs == pytest.approx(-14, abs=0.5)
    assert peak_db(heard) < 0
    assert encoded.seconds == audio.seconds


@pytest.mark.parametrize("rate", [32000, 44100])
@pytest.mark.parametrize("channels", [1, 2])
def test_decoded_true_peaks_stay_under_the_ceiling(rate: int, channels: int) -> None:
    """Drums, whose peaks a lossy codec moves most: without a check it decoded at up to +0.6 dBTP."""
    time = np.arange(4 * rate) / rate
    hits = np.random.default_rng(0).normal(size=time.size) * np.exp(-30 * (time % 0.25))
    sound = hits + 0.6 * np.sin(2 * np.pi * 60 * time) * np.exp(-8 * (time % 0.5))
    sound = np.stack([sound, np.roll(sound, 37)][:channels]) / np.abs(sound).max()
    audio = Audio(sound.astype(np.float32), rate)
    # Hits like these miss −14 LUFS even where no codec follows: their peaks may fall by 12 dB only.
    without_codec = master(audio, -14).loudness_lufs
    encoded = encode_clip(audio, TAGS)
    assert encoded.loudness_lufs == pytest.approx(without_codec, abs=1.5)
    for data in (encoded.mp3, encoded.ogg):
        samples, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        assert 20 * math.log10(float(np.abs(resample_poly(samples, 4, 1, axis=0)).max())) <= CEILING_DB


@pytest.mark.parametrize("level", [0.001, 0.05, 0.9, 3.0])
@pytest.mark.parametrize("target", [-20.0, -14.0])
def test_quiet_and_loud_takes_end_equally_loud(level: float, target: float) -> None:
    heard = decode_mp3(encode_clip(music(2, level=level * 3), TAGS, loudness_lufs=target).mp3)
    wanted = target if level > 0.001 else None
    if wanted is None:
        # 30 dB is the most that anything is raised by.
        before = loudness(music(2, level=level * 3))
        assert loudness(heard) == pytest.approx(min(target, before + MAX_GAIN_DB), abs=1)
    else:
        assert loudness(heard) == pytest.approx(wanted, abs=1)
        assert peak_db(heard) < CEILING_DB + 1


def test_the_sound_is_the_very_sound_in_time() -> None:
    audio = music(3)
    heard = decode_mp3(encode_clip(audio, TAGS).mp3)
    reference, other = audio.samples[0, 22050:66150], heard.samples[0]
    lags = range(-200, 201)
    best = max(lags, key=lambda lag: float(np.dot(reference, other[22050 + lag : 66150 + lag])))
    assert abs(best) <= 50
    matched = other[22050 + best : 66150 + best]
    assert np.corrcoef(reference, matched)[0, 1] > 0.99


def test_peaks_are_turned_down_instead_of_clipped() -> None:
    audio = music(3)
    samples = audio.samples.copy()
    samples[:, 11025::22050] = 0.8
    mastered = master(Audio(samples, 44100), -14)
    assert peak_db(mastered.audio) <= CEILING_DB + 0.1
    assert mastered.loudness_lufs == pytest.approx(-14, abs=1.5)


def test_peaks_between_the_samples_count() -> None:
    # A quarter of the sample rate, sampled at 45°: the samples reach 0.707, the wave reaches 1.
    tone = np.sin(np.arange(44100) * np.pi / 2 + np.pi / 4).astype(np.float32)[None]
    assert np.abs(tone).max() == pytest.approx(0.707, abs=0.001)
    assert true_peaks(tone)[1000:-1000].max() == pytest.approx(1, abs=0.02)
    assert peak_db(master(Audio(tone, 44100), 0.0).audio) <= CEILING_DB + 0.1


@settings(max_examples=25, deadline=None)
@given(
    seconds=st.floats(0.001, 1.5),
    level=st.floats(0, 20),
    crest=st.integers(1, 4000),
    seed=st.integers(0, 9),
    rate=st.sampled_from([16000, 32000, 44100]),
)
def test_mastering_never_clips_breaks_or_changes_the_length(
    seconds: float, level: float, crest: int, seed: int, rate: int
) -> None:
    noise = np.random.default_rng(seed).normal(0, level, (2, max(1, round(seconds * rate))))
    noise[:, ::crest] *= 5
    audio = Audio(noise.astype(np.float32), rate)
    mastered = master(audio, -14)
    assert mastered.audio.samples.shape == audio.samples.shape
    assert np.isfinite(mastered.audio.samples).all()
    assert np.abs(mastered.audio.samples).max() <= 10 ** (CEILING_DB / 20) + 1e-4


def test_true_peaks_skip_only_what_is_low() -> None:
    sound = music(1).samples
    exact, quick = true_peaks(sound), true_peaks(sound, 0.1)
    assert np.array_equal(exact[exact > 0.15], quick[exact > 0.15])
    assert (quick <= exact).all()


def test_silence_stays_silence() -> None:
    for samples in (np.zeros((2, 44100), np.float32), np.full((1, 44100), 1e-6, np.float32)):
        encoded = encode_clip(Audio(samples, 44100), TAGS)
        assert encoded.loudness_lufs is None
        heard = decode_mp3(encoded.mp3)
        assert np.abs(heard.samples).max() < 1e-3
        assert heard.seconds == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("seconds", [0.003, 0.05, 0.2, 0.39, 0.41])
def test_the_shortest_clips(seconds: float) -> None:
    encoded = encode_clip(music(seconds), TAGS)
    assert decode_mp3(encoded.mp3).seconds == pytest.approx(seconds, abs=0.1)
    if seconds >= 0.2:
        assert loudness(decode_mp3(encoded.mp3)) == pytest.approx(-14, abs=2)


def test_ends_are_faded_so_that_nothing_clicks() -> None:
    flat = Audio(np.full((1, 44100), 0.5, np.float32), 44100)
    sound = master(flat, -14).audio.samples[0]
    assert sound[0] == 0
    assert abs(sound[-1]) < 1e-6
    assert np.abs(np.diff(sound)).max() < 0.02
    middle = sound[4410:-8820]
    assert middle.max() - middle.min() < 1e-5


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((2, 0), np.float32),
        np.full((2, 9000), np.nan, np.float32),
        np.array([[0.1, np.inf] * 900], np.float32),
        np.zeros((3, 9000), np.float32),
        np.zeros((0, 9000), np.float32),
    ],
)
def test_what_is_no_sound_is_one_sentence(samples: np.ndarray) -> None:
    with pytest.raises(ClipError, match=r"^[A-Z][^\n]*\.$"):
        encode_clip(Audio(samples, 44100), TAGS)


def test_the_same_sound_gives_the_same_bytes(clip: EncodedClip) -> None:
    again = encode_clip(music(3), TAGS)
    assert (again.mp3, again.ogg) == (clip.mp3, clip.ogg)


def test_the_caller_is_free_while_the_encoders_work(clip: EncodedClip) -> None:
    pending = begin_clip(music(3), TAGS)
    others = [begin_clip(music(0.5), TAGS), begin_clip(music(1), replace(TAGS, cover_jpeg=None))]
    assert [round(each.finish().seconds, 2) for each in others] == [0.5, 1]
    assert pending.finish().ogg == clip.ogg


# Budget


def test_the_bit_rate_falls_until_the_clip_fits() -> None:
    audio, tags = music(8), replace(TAGS, cover_jpeg=None)
    rates = []
    for budget in (300_000, 180_000, 100_000, 70_000):
        encoded = encode_clip(audio, tags, max_bytes=budget)
        assert len(encoded.mp3) <= budget
        assert decode_mp3(encoded.mp3).seconds == pytest.approx(8, abs=0.1)
        assert MP3(io.BytesIO(encoded.mp3)).info.bitrate == pytest.approx(encoded.kbps * 1000, rel=0.05)
        rates.append(encoded.kbps)
    assert rates == [192, 160, 96, 64]


def test_a_clip_that_cannot_fit_is_refused_in_one_sentence() -> None:
    with pytest.raises(
        ClipError, match=r"60 seconds does not fit into 0\.1 MB; please ask for a shorter one\."
    ):
        encode_clip(music(60, 8000, 1), TAGS, max_bytes=104_858)


def test_a_budget_is_spent_on_sound_before_the_cover(clip: EncodedClip) -> None:
    assert clip.has_cover
    small = encode_clip(music(3), TAGS, max_bytes=2 * len(COVER))
    assert not small.has_cover
    assert not ID3(io.BytesIO(small.mp3)).getall("APIC")
    assert len(small.mp3) <= 2 * len(COVER)


# Tags


def test_the_tags_say_what_the_clip_is(clip: EncodedClip) -> None:
    tags = ID3(io.BytesIO(clip.mp3))
    assert tags.version == (2, 3, 0)
    assert str(tags["TIT2"]) == TAGS.title
    assert str(tags["TPE1"]) == "AlbumGen (sketch)"
    assert str(tags["TCON"]) == "indie rock"
    assert str(tags["TBPM"]) == "97"
    assert str(tags["TKEY"]) == "C#m"
    assert str(tags["TSSE"]).startswith("AlbumGen ")
    assert str(tags["COMM::eng"]) == f"{TAGS.prompt} (seed 1234)"
    picture = tags["APIC:Cover"]
    assert (picture.mime, picture.type, picture.data) == ("image/jpeg", 3, COVER)


@pytest.mark.parametrize(
    ("key", "mode", "written"),
    [("A", "minor", "Am"), ("C#", "major", "C#"), ("F#", None, "F#"), ("G#", "minor", "G#m")],
)
def test_keys_are_written_as_id3_has_them(key: str, mode: str, written: str) -> None:
    tags = replace(TAGS, key=key, mode=mode)  # type: ignore[arg-type]
    assert str(ID3(io.BytesIO(tags.to_id3()))["TKEY"]) == written


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo\r\nthree", "one two three"),
        ("nul\0inside", "nul inside"),
        ("🎸 日本語 ñ", "🎸 日本語 ñ"),
        ("lone \ud83c surrogate", "lone ? surrogate"),
        ("\u202egnp.exe", "gnp.exe"),
        ("AC/DC", "AC/DC"),
        ("", ""),
    ],
)
def test_hostile_text_is_made_harmless(text: str, shown: str) -> None:
    encoded = encode_clip(music(0.5), replace(TAGS, title=text, genre=text, prompt=text, engine=text))
    tags = ID3(io.BytesIO(encoded.mp3))
    assert tags["TIT2"].text == [shown or "AlbumGen"]
    assert [frame.text for frame in tags.getall("TCON")] == ([[shown]] if shown else [])
    assert tags["COMM::eng"].text == [f"{shown} (seed 1234)".lstrip()]
    assert OggOpus(io.BytesIO(encoded.ogg))["title"] == [shown or "AlbumGen"]
    assert decode_mp3(encoded.mp3).seconds == pytest.approx(0.5, abs=0.1)


@given(st.text(max_size=300))
def test_any_text_can_be_written_and_read_again(text: str) -> None:
    tags = ID3(io.BytesIO(replace(TAGS, title=text, prompt=text).to_id3()))
    assert len(tags["TIT2"].text) == 1
    assert not set("\n\r\0") & set(tags["COMM::eng"].text[0])


def test_long_prompts_are_kept_whole_and_endless_ones_cut() -> None:
    long = "ten thousand characters of prompt " * 300
    tags = ID3(io.BytesIO(replace(TAGS, prompt=long).to_id3()))
    assert str(tags["COMM::eng"]) == f"{long.strip()} (seed 1234)"
    endless = replace(TAGS, title="x" * 10**6, prompt="y" * 10**6)
    tags = ID3(io.BytesIO(endless.to_id3()))
    assert len(str(tags["TIT2"])) == 200
    assert str(tags["COMM::eng"]).endswith("y… (seed 1234)")
    assert len(str(tags["COMM::eng"])) <= MAX_PROMPT + 20


# Voice


@pytest.mark.parametrize("seconds", [2.5, 2.4871])
@pytest.mark.parametrize(("rate", "channels"), [(32000, 1), (44100, 2)])
def test_the_opus_file_is_ready_for_discord_voice(rate: int, channels: int, seconds: float) -> None:
    encoded = encode_clip(music(seconds, rate, channels), TAGS)
    packets = list(OggStream(io.BytesIO(encoded.ogg)).iter_packets())
    assert packets[0][:8] == b"OpusHead"
    assert packets[0][9] == 2
    assert packets[1][:8] == b"OpusTags"
    assert {packet_milliseconds(packet) for packet in packets[2:]} == {20.0}
    assert len(packets) - 2 == math.ceil((seconds * 48000 + 312) / 960)
    heard, heard_rate = soundfile.read(io.BytesIO(encoded.ogg), dtype="float32", always_2d=True)
    assert heard_rate == 48000
    assert heard.shape[1] == 2
    assert len(heard) == (len(packets) - 2) * 960 - 312  # silence fills the last packet, no more
    assert len(heard) / 48000 == pytest.approx(seconds, abs=0.03)
    tags = OggOpus(io.BytesIO(encoded.ogg))
    assert tags["artist"] == ["AlbumGen (sketch)"]
    assert tags["description"] == [f"{TAGS.prompt} (seed 1234)"]
    assert tags["encoder"][0].startswith("AlbumGen ")
    assert not re.search("lav[cf]", str(tags) + tags.tags.vendor, re.IGNORECASE)
    assert 85_000 < sum(map(len, packets)) * 8 / seconds < 105_000
    both = integrated_loudness(np.ascontiguousarray(heard.T), 48000)
    # A mono clip comes from two speakers here, which counts 3 LU more.
    assert both == pytest.approx(-14 if channels == 2 else -11, abs=1)


def packet_milliseconds(packet: bytes) -> float:
    """Length of an Opus packet (RFC 6716, section 3.1)."""
    config, frames = packet[0] >> 3, packet[0] & 3
    if config < 12:
        length = (10.0, 20.0, 40.0, 60.0)[config % 4]
    elif config < 16:
        length = (10.0, 20.0)[config % 2]
    else:
        length = (2.5, 5.0, 10.0, 20.0)[config % 4]
    return length * (packet[1] & 63 if frames == 3 else (1, 2, 2)[frames])


def test_the_opus_sound_lies_where_the_mp3_sound_lies(clip: EncodedClip) -> None:
    opus, _ = soundfile.read(io.BytesIO(clip.ogg), dtype="float32", always_2d=True)
    mp3 = resample_poly(decode_mp3(clip.mp3).samples[0], 160, 147)
    assert np.corrcoef(opus[24000:96000, 0], mp3[24000:96000])[0, 1] > 0.98


# Files


def test_files_are_written_whole_over_what_was_there(clip: EncodedClip, tmp_path: Path) -> None:
    mp3, ogg = tmp_path / "a" / "clip.mp3", tmp_path / "a" / "clip.ogg"
    mp3.parent.mkdir()
    mp3.write_bytes(b"old")
    write_clip(clip, mp3, ogg)
    assert mp3.read_bytes() == clip.mp3
    assert ogg.read_bytes() == clip.ogg
    assert sorted(path.name for path in mp3.parent.iterdir()) == ["clip.mp3", "clip.ogg"]


def test_a_write_that_fails_leaves_what_was_there(clip: EncodedClip, tmp_path: Path) -> None:
    mp3 = tmp_path / "clip.mp3"
    mp3.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_clip(clip, mp3)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp3"]


def test_decoding_from_a_path_and_what_is_no_mp3(clip: EncodedClip, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp3"
    path.write_bytes(clip.mp3)
    assert np.array_equal(decode_mp3(path).samples, decode_mp3(clip.mp3).samples)
    with pytest.raises(FileNotFoundError):
        decode_mp3(tmp_path / "gone.mp3")
    for data in (b"", b"no sound", b"ID3" + bytes(100), clip.mp3[: len(COVER) // 2]):
        with pytest.raises(ClipError):
            decode_mp3(data)


# Programs


def test_no_program_need_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert decode_mp3(encode_clip(music(0.5), TAGS).mp3).seconds == pytest.approx(0.5, abs=0.1)


def test_an_encoder_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, path in itertools.product((clip_module, ffmpeg), ("/bin/false", "/nonexistent/ffmpeg")):
        with monkeypatch.context() as patch:
            patch.setattr(module, "program", lambda path=path: path)
            with pytest.raises(ClipError, match="could not be encoded"):
                encode_clip(music(0.2), TAGS)


def test_without_an_ffmpeg_the_reader_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> str:
        raise ffmpeg.FfmpegError("There is no ffmpeg.")

    monkeypatch.setattr(clip_module, "program", gone)
    with pytest.raises(ClipError, match=r"^There is no ffmpeg\.$"):
        encode_clip(music(0.2), TAGS)


@pytest.mark.slow
def test_importing_is_silent_and_free_of_torch() -> None:
    code = (
        "import sys, albumgen_core.audio.encode\nprint([m for m in ('torch', 'discord') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": ""},
    )
    assert done.stdout.strip() == "[]"
    assert "ffmpeg" not in done.stderr
