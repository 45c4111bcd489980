from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from albumgen_core.engines.sketch import soundfont
from albumgen_core.engines.sketch.bank import Bank
from albumgen_core.engines.sketch.composer import SketchComposer
from albumgen_core.engines.sketch.soundfont import find_soundfont, load_bank
from albumgen_core.errors import EngineUnavailableError
from tests.albumgen_core.engines.sketch.soundfonts import compressed, played


@pytest.mark.parametrize("data", [b"", b"RIFF\0\0\0\0WAVE", b"not a SoundFont at all"])
def test_a_file_of_another_kind_is_refused_by_name(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.sf2"
    path.write_bytes(data)
    with pytest.raises(EngineUnavailableError, match=r"mine\.sf2 is not a SoundFont"):
        SketchComposer(path)


@pytest.mark.parametrize("size", [12, 400, 40_000])
def test_a_file_cut_short_is_refused(size: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.sf2"
    path.write_bytes(find_soundfont().path.read_bytes()[:size])
    with pytest.raises(EngineUnavailableError, match=r"cut\.sf2 is damaged"):
        load_bank(path)


def test_a_soundfont_without_drums_is_refused() -> None:
    piano = load_bank(find_soundfont().path).cut({(0, False): [60]})
    with pytest.raises(EngineUnavailableError, match="not a General MIDI SoundFont"):
        Bank(piano, "piano.sf2")


def test_a_chosen_file_that_is_absent_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match=r"engine\.sketch\.soundfont: there is no file .*absent"):
        find_soundfont(tmp_path / "absent.sf2")


def test_without_any_soundfont_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundfont, "INSTALLED", ())
    monkeypatch.setattr(soundfont, "_bundled", lambda: None)
    with pytest.raises(EngineUnavailableError, match="is missing; install it with: pip install pretty_midi"):
        find_soundfont()


def test_licences_are_known_by_the_files_names(tmp_path: Path) -> None:
    for name, licence in (
        ("TimGM6mb.sf2", "GPL-2"),
        ("MuseScore_General_Lite.sf3", "MIT"),
        ("x.sf2", "unknown"),
    ):
        (tmp_path / name).touch()
        assert find_soundfont(tmp_path / name).licence.startswith(licence)


def test_a_cut_is_a_soundfont_of_few_samples() -> None:
    bank = load_bank(find_soundfont().path)
    data = bank.cut({(0, False): [60, 64], (0, True): [36, 38]})
    assert len(data) < 400_000
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    again = Bank(data, "cut")
    assert again.has(0, False)
    assert again.has(0, True)
    assert not again.has(1, False)


def test_ogg_vorbis_samples_sound_like_the_plain_ones(tmp_path: Path) -> None:
    original = find_soundfont().path
    path = tmp_path / "small.sf3"
    path.write_bytes(
        compressed(load_bank(original).cut({(0, False): [60], (24, False): [60], (0, True): [38]}))
    )
    assert load_bank(path).compressed
    for program in (0, 24):
        ours, theirs = played(path, program, 60, 100)[0], played(original, program, 60, 100)[0]
        assert np.corrcoef(ours, theirs)[0, 1] > 0.95


def test_a_missing_program_is_replaced_by_its_family(tmp_path: Path) -> None:
    path = tmp_path / "few.sf2"
    path.write_bytes(
        load_bank(find_soundfont().path).cut({(0, False): [60], (24, False): [60], (0, True): [38]})
    )
    np.testing.assert_array_equal(played(path, 27, 60, 100), played(path, 24, 60, 100))
    assert played(path, 70, 60, 100).any()
