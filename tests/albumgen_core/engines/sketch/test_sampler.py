"""What is written is heard: velocity, pitch, bends, expression, every key of every instrument in use."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from albumgen_core.engines.sketch import bass, harmony, melody, players
from albumgen_core.engines.sketch.grooves import GROOVES
from albumgen_core.engines.sketch.instruments import ARPEGGIOS, VOICES
from albumgen_core.engines.sketch.midi import DRUM_CHANNEL, Track
from albumgen_core.engines.sketch.players import Players
from albumgen_core.engines.sketch.sampler import SAMPLE_RATE, play, trim
from albumgen_core.engines.sketch.soundfont import find_soundfont
from tests.albumgen_core.engines.sketch.soundfonts import played

SOUNDFONT = find_soundfont().path
BANDS = [value for value in vars(players).values() if isinstance(value, Players)]
BASSES = sorted({program for band in BANDS for program in band.bass})
CHORDS = sorted({program for band in BANDS for program in band.chords})
PADS = sorted({program for band in BANDS for program in band.pad})
LEADS = sorted({program for band in BANDS for program in band.lead} | set(VOICES))
PROGRAMS = sorted({*BASSES, *CHORDS, *PADS, *LEADS, *ARPEGGIOS})
KITS = sorted({band.kit for band in BANDS})
KEYS = sorted(
    {36, 46, 47, 43, 45, 50, 49, 51}
    | {key for groove in GROOVES.values() for key in (groove.snare_key, groove.hat_key)}
    | {key for groove in GROOVES.values() for key, _ in groove.extra}
)


def decibels(sound: NDArray[np.float32]) -> float:
    return 20 * float(np.log10(np.sqrt(np.mean(np.square(sound, dtype=np.float64))) + 1e-9))


def share_above(sound: NDArray[np.float32], frequency: float) -> float:
    power = np.square(np.abs(np.fft.rfft(sound.mean(axis=0))))
    above = np.fft.rfftfreq(sound.shape[1], 1 / SAMPLE_RATE) > frequency
    return float(power[above].sum() / power.sum())


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_soft_note_is_softer_and_darker(program: int) -> None:
    key = 40 if program in BASSES and program not in LEADS else 64
    soft, loud = played(SOUNDFONT, program, key, 30), played(SOUNDFONT, program, key, 110)
    assert decibels(loud) - decibels(soft) >= 8.0
    above = 4 * 440 * 2 ** ((key - 69) / 12)
    assert share_above(soft, above) <= 0.85 * share_above(loud, above) + 1e-4


@pytest.mark.parametrize("kit", KITS)
@pytest.mark.parametrize("key", KEYS)
def test_a_soft_hit_is_softer(kit: int, key: int) -> None:
    soft, loud = (played(SOUNDFONT, kit, key, force, drums=True) for force in (30, 110))
    assert decibels(loud) > -60.0
    assert decibels(loud) - decibels(soft) >= 8.0


def sounding(program: int, low: int, high: int) -> list[float]:
    levels = []
    for key in range(low, high + 1):
        levels.append(decibels(played(SOUNDFONT, program, key, 90)[:, : SAMPLE_RATE // 2]))
    return levels


@pytest.mark.slow
@pytest.mark.parametrize("program", LEADS)
def test_every_lead_sounds_at_every_pitch_of_the_tune(program: int) -> None:
    lowest = melody.LOW - 12 if program in VOICES else melody.LOW
    levels = sounding(program, lowest, melody.HIGH)
    assert min(levels) > np.median(levels) - 14.0


@pytest.mark.slow
@pytest.mark.parametrize("program", CHORDS)
def test_every_chord_instrument_sounds_at_every_pitch(program: int) -> None:
    levels = sounding(program, 40, harmony.REGISTER[1] + 12)
    assert min(levels) > np.median(levels) - 14.0


@pytest.mark.parametrize("program", PADS)
def test_every_pad_sounds_at_every_pitch(program: int) -> None:
    levels = sounding(program, *harmony.REGISTER)
    assert min(levels) > np.median(levels) - 14.0


@pytest.mark.parametrize("program", BASSES)
def test_every_bass_sounds_at_every_pitch(program: int) -> None:
    levels = sounding(program, bass.LOW - 2, bass.HIGH + 12)
    assert min(levels) > np.median(levels) - 14.0


@pytest.mark.parametrize("program", [0, 4, 24, 27, 32, 33, 40, 48, 52, 65, 73, 81])
@pytest.mark.parametrize("pitch", [48, 60, 67])
def test_instruments_play_in_tune(program: int, pitch: int) -> None:
    # Sum the spectrum over five harmonics of every candidate within an octave and a half: the true pitch,
    # or its octave for instruments with a weak fundamental, has the most.
    sound = played(SOUNDFONT, program, pitch, 100).mean(axis=0)[6000:40000]
    size = 2**18
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size))

    def weight(semitones: float) -> float:
        frequency = 440 * 2 ** ((pitch + semitones - 69) / 12)
        bins = [round(frequency * h / SAMPLE_RATE * size) for h in range(1, 6)]
        return float(sum(spectrum[b - 3 : b + 4].max() for b in bins))

    off = max(np.arange(-7, 7.01, 0.1), key=weight)
    assert abs(off) <= 0.35


def test_bends_and_expression_are_heard() -> None:
    notes = [(0.0, 0.9, 57, 100)]
    plain, bent, quiet = play(
        SOUNDFONT,
        [
            Track("plain", 0, 80, notes),
            Track("bent", 0, 80, notes, bends=[(0.0, 2.0)]),
            Track("quiet", 0, 80, notes, controls=[(0.0, 11, 60)]),
        ],
        60.0,
        1.0,
    )

    def pitch(sound: NDArray[np.float32]) -> float:
        return float(np.abs(np.fft.rfft(sound[0, :SAMPLE_RATE])).argmax())

    assert pitch(bent) / pitch(plain) == pytest.approx(2 ** (2 / 12), rel=0.01)
    assert decibels(plain) - decibels(quiet) > 6.0


def test_tracks_that_share_a_rendering_do_not_leak_into_each_other() -> None:
    loud = Track("loud", 0, 0, [(0.0, 0.9, 60, 120)])
    silent = Track("silent", 0, 24, [(0.0, 0.9, 64, 1)])
    drums = Track("drums", DRUM_CHANNEL, 0, [(0.0, 0.2, 38, 110)])
    alone = play(SOUNDFONT, [loud], 60.0, 1.0)[0]
    together = play(SOUNDFONT, [loud, silent, drums], 60.0, 1.0)
    assert not together[1].any()
    np.testing.assert_allclose(together[0], alone, atol=1e-4)
    assert together[2].shape[0] == 2


def test_trims_bring_instruments_to_one_level() -> None:
    levels = []
    for program in (0, 24, 48, 73, 81):
        sound = played(SOUNDFONT, program, 65, 90) * trim(SOUNDFONT, program, False)
        levels.append(decibels(sound))
    assert max(levels) - min(levels) < 6.0
