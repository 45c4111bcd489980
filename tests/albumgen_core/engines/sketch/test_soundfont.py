from __future__ import annotations

import numpy as np
import pytest

from albumgen_core.engines.sketch import soundfont
from albumgen_core.engines.sketch.render import SAMPLE_RATE, play
from albumgen_core.engines.sketch.soundfont import soundfont_path, tuned
from albumgen_core.errors import EngineUnavailableError


@pytest.mark.parametrize("program", [0, 4, 24, 27, 32, 33, 40, 48, 52, 65, 73, 81])
@pytest.mark.parametrize("pitch", [48, 60, 67])
def test_instruments_play_in_tune(program: int, pitch: int) -> None:
    # Sum the spectrum over five harmonics of every candidate within an octave and a half: the true pitch,
    # or its octave for instruments with a weak fundamental, has the most.
    sound = play(program, False, [(0.0, 1.0, pitch, 100)], 1.0).mean(axis=0)[6000:40000]
    size = 2**18
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size))

    def weight(semitones: float) -> float:
        frequency = 440 * 2 ** ((pitch + semitones - 69) / 12)
        bins = [round(frequency * h / SAMPLE_RATE * size) for h in range(1, 6)]
        return float(sum(spectrum[b - 3 : b + 4].max() for b in bins))

    off = max(np.arange(-7, 7.01, 0.1), key=weight)
    assert abs(off) <= 0.35


def test_tuning_a_tuned_file_changes_no_tuning() -> None:
    once = tuned(soundfont_path().read_bytes())
    assert len(once) > len(soundfont_path().read_bytes())
    assert once[:4] == b"RIFF"
    assert int.from_bytes(once[4:8], "little") == len(once) - 8


@pytest.mark.parametrize("data", [b"", b"RIFF\0\0\0\0WAVE", b"RIFF\4\0\0\0sfbk"])
def test_a_damaged_file_is_named_with_the_cure(data: bytes) -> None:
    with pytest.raises(EngineUnavailableError, match=r"damaged.*pip install"):
        tuned(data)


def test_a_missing_file_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    soundfont_path.cache_clear()
    monkeypatch.setattr(soundfont, "NAME", "absent.sf2")
    try:
        with pytest.raises(EngineUnavailableError, match=r"absent\.sf2 is missing; install it with"):
            soundfont_path()
    finally:
        soundfont_path.cache_clear()
