"""Does the band play this cover, and is it heard? Measured in the audio.

    python benchmarks/sketch_band.py [covers]

Covers are development data where there is some, else drawn here. It prints:

- share of variance owed to the cover (one-way analysis over covers × seeds) of what is claimed;
- nearest clips: for each of covers × seeds clips, the nearest of the others by spectral envelope, chroma and
  onset pattern (each z-scored, weighted alike): how often it is of the same cover;
- pairs of pictures that differ in one respect (dark and bright, calm and busy, cold and warm): how often
  claim and sound point the expected way;
- spectral slopes, true peaks and loudness after mastering, by style, and levels of the stems;
- spread of short-term loudness over sixths of 60-second clips.
"""

from __future__ import annotations

import math
import random
import sys
import warnings
from collections.abc import Callable

import librosa
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter
from sketch_fidelity import development_covers, drawn_cover

from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.mastering import integrated_loudness, master, true_peaks
from albumgen_core.audio.types import Audio
from albumgen_core.cover.read import Cover
from albumgen_core.engines.base import ComposeRequest
from albumgen_core.engines.sketch.arrangement import arrange
from albumgen_core.engines.sketch.brief import Brief
from albumgen_core.engines.sketch.composer import SketchComposer
from albumgen_core.engines.sketch.mix import REFERENCE_SLOPE, slope_of
from albumgen_core.engines.sketch.palette import PaletteDescriber
from albumgen_core.engines.sketch.render import grouped, stems_of
from albumgen_core.engines.sketch.soundfont import find_soundfont
from albumgen_core.engines.sketch.styles import STYLES

RATE = 22_050
CLAIMS = ("tempo", "energy", "acousticness", "valence", "danceability", "loudness")

DESCRIBER, COMPOSER = PaletteDescriber(), SketchComposer()


def covers_of(count: int) -> list[Cover]:
    """Real covers where there are some, else drawn ones."""
    paths = development_covers()
    random.Random(1).shuffle(paths)
    found = [Cover(Image.open(path).convert("RGB"), path.name) for path in paths[:count]]
    return found or [drawn_cover(number) for number in range(count)]


def clip_of(cover: Cover, seed: int, seconds: float = 10.0) -> tuple[MusicalAttributes, Audio]:
    """What is claimed of a cover, and the clip."""
    attributes = DESCRIBER.describe(cover, None, seed=seed)
    clip = COMPOSER.compose([ComposeRequest("", attributes, seconds, seed, cover=cover)])[0]
    assert clip is not None
    return attributes, clip


def owed_to_groups(table: NDArray[np.float64]) -> float:
    """Share of the variance of (groups, members) that lies between the groups."""
    total = float(table.var())
    return float(table.mean(axis=1).var()) / total if total else math.nan


def mono(clip: Audio) -> NDArray[np.float32]:
    """At 22,050 Hz."""
    found = librosa.resample(
        clip.samples.mean(axis=0), orig_sr=clip.sample_rate, target_sr=RATE, res_type="polyphase"
    )
    return np.asarray(found, np.float32)


def features(clip: Audio) -> list[NDArray[np.float64]]:
    """Timbre (mean and spread of 20 MFCCs), chroma (12), rhythm (onset autocorrelation up to 2 s)."""
    sound = mono(clip)
    mfcc = librosa.feature.mfcc(y=sound, sr=RATE, n_mfcc=20)
    chroma = librosa.feature.chroma_stft(y=sound, sr=RATE).mean(axis=1)
    envelope = librosa.onset.onset_strength(y=sound, sr=RATE)
    rhythm = librosa.autocorrelate(envelope - envelope.mean(), max_size=86)
    return [np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1)]), chroma, rhythm / max(rhythm[0], 1e-9)]


def nearest_of_same(clips: list[list[Audio]]) -> float:
    """Share of clips whose nearest other clip is of the same cover."""
    owner = [number for number, takes in enumerate(clips) for _ in takes]
    found = [features(clip) for takes in clips for clip in takes]
    distance = np.zeros((len(found), len(found)))
    for block in range(3):
        table = np.array([one[block] for one in found])
        table = (table - table.mean(axis=0)) / (table.std(axis=0) + 1e-9)
        apart = np.square(table[:, None] - table[None]).sum(axis=2)
        distance += apart / apart.mean()
    np.fill_diagonal(distance, np.inf)
    return float(np.mean([owner[row.argmin()] == owner[place] for place, row in enumerate(distance)]))


def brighter(image: Image.Image, up: bool) -> Image.Image:
    """Darker or lighter by a factor of about two."""
    return ImageEnhance.Brightness(image).enhance(1.7 if up else 0.5)


def busier(image: Image.Image, up: bool) -> Image.Image:
    """Blurred, or tiled four times with its edges sharpened."""
    if not up:
        return image.filter(ImageFilter.GaussianBlur(image.width / 30))
    half = image.resize((image.width // 2, image.height // 2))
    tiled = Image.new("RGB", image.size)
    for x in (0, half.width):
        for y in (0, half.height):
            tiled.paste(half, (x, y))
    return tiled.filter(ImageFilter.UnsharpMask(3, 200, 0))


def warmer(image: Image.Image, up: bool) -> Image.Image:
    """A blend with orange or with blue."""
    tint = Image.new("RGB", image.size, (230, 150, 40) if up else (40, 100, 220))
    return Image.blend(image, tint, 0.4)


def centroid(clip: Audio) -> float:
    """Spectral centroid in Hz."""
    return float(librosa.feature.spectral_centroid(y=mono(clip), sr=RATE).mean())


def onsets(clip: Audio) -> float:
    """Onsets a second."""
    return len(librosa.onset.onset_detect(y=mono(clip), sr=RATE)) / clip.seconds


def darkness(clip: Audio) -> float:
    """Minus the spectral slope: what warm sound has more of."""
    return -slope_of(clip.samples, clip.sample_rate)


Change = Callable[[Image.Image, bool], Image.Image]

PAIRS: dict[str, tuple[Change, str, Callable[[Audio], float]]] = {
    "dark → bright": (brighter, "valence", centroid),
    "calm → busy": (busier, "energy", onsets),
    "cold → warm": (warmer, "acousticness", darkness),
}


def print_cover_and_seed(covers: list[Cover], seeds: int) -> None:
    """Shares of variance, and nearest clips."""
    takes = [[clip_of(cover, seed) for seed in range(seeds)] for cover in covers]
    print(f"{len(covers)} covers × {seeds} seeds: share of variance owed to the cover")
    for claim in CLAIMS:
        table = np.array([[float(getattr(attributes, claim)) for attributes, _ in row] for row in takes])
        print(f"  {claim:14}{owed_to_groups(table):6.2f}   from {table.min():.2f} to {table.max():.2f}")
    same = np.mean([len({a.album_genre for a, _ in row}) == 1 for row in takes])
    print(f"  one genre for all seeds of a cover: {100 * same:.0f} %")
    share = nearest_of_same([[clip for _, clip in row] for row in takes])
    chance = (seeds - 1) / (len(covers) * seeds - 1)
    print(f"nearest clip is of the same cover: {100 * share:.0f} % (chance {100 * chance:.0f} %)")


def print_pairs(covers: list[Cover]) -> None:
    """Opposite pictures."""
    print("pairs that point the expected way    claimed   heard")
    for name, (change, claim, measure) in PAIRS.items():
        claimed, heard = [], []
        for number, cover in enumerate(covers):
            sides = [
                clip_of(Cover(change(cover.image, up), f"{cover.sha256}/{up}"), number)
                for up in (False, True)
            ]
            claimed.append(getattr(sides[1][0], claim) > getattr(sides[0][0], claim))
            heard.append(measure(sides[1][1]) > measure(sides[0][1]))
        print(f"  {name:33}{100 * np.mean(claimed):6.0f} %{100 * np.mean(heard):7.0f} %")


def print_styles() -> None:
    """Slope, peak, loudness and stems of every style, from one typical request each."""
    print(f"styles (reference slope {REFERENCE_SLOPE} dB an octave); stems in dB below the mix")
    print(f"{'style':12}{'slope':>7}{'target':>8}{'peak dBTP':>11}{'LUFS':>7}   stems")
    for number, (name, style) in enumerate(STYLES.items()):
        brief = Brief.of(request_for(name), number)
        assert brief.style is style, (name, brief.style_name)
        piece = arrange(brief, 10.0)
        clip = COMPOSER.compose([ComposeRequest("", brief.attributes, 10.0, number)])[0]
        assert clip is not None
        done = master(clip, -14.0).audio.samples
        peak = 20 * math.log10(float(true_peaks(done).max()))
        stems = grouped(stems_of(piece, find_soundfont().path))
        whole = decibels(np.asarray(sum(stems.values()), np.float32))
        levels = ", ".join(f"{role} {decibels(stem) - whole:.0f}" for role, stem in sorted(stems.items()))
        slope = slope_of(clip.samples, clip.sample_rate)
        loudness = integrated_loudness(done, clip.sample_rate) or -math.inf
        print(f"{name:12}{slope:7.2f}{style.mix.slope:8.2f}{peak:11.2f}{loudness:7.1f}   {levels}")


def request_for(style: str) -> MusicalAttributes:
    """A request that is played in this style: its name as the album's own word for its genre."""
    words = {"hiphop": "hip hop", "breaks": "breakbeat", "screen": "movie", "rnb": "r&b", "house": "house"}
    return MusicalAttributes(
        artist_name="",
        album_genre="pop",
        raw_genre=words.get(style, style),
        key="A",
        mode="minor",
        time_signature=4,
        acousticness=0.2,
        danceability=0.6,
        energy=0.6,
        instrumentalness=0.2,
        liveness=0.15,
        loudness=0.85,
        speechiness=0.05,
        valence=0.5,
        tempo=108.0,
    )


def decibels(sound: NDArray[np.float32]) -> float:
    """Root mean square in dBFS."""
    return 20 * math.log10(float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) + 1e-9)


def print_arcs(covers: list[Cover]) -> None:
    """Short-term loudness of sixths of a minute."""
    spans = []
    for number, cover in enumerate(covers):
        attributes, clip = clip_of(cover, number, 60.0)
        if Brief.of(attributes, number).style.static:
            continue
        sixth = clip.samples.shape[1] // 6
        levels = [
            integrated_loudness(clip.samples[:, i * sixth : (i + 1) * sixth], clip.sample_rate) or -70.0
            for i in range(6)
        ]
        spans.append(max(levels) - min(levels))
    print(
        f"sixths of {len(spans)} clips of 60 s: span of loudness median {np.median(spans):.1f} dB, "
        f"least {min(spans):.1f}; at least 4 dB in {100 * np.mean(np.array(spans) >= 4):.0f} %"
    )


def main(count: int) -> None:
    """Print everything."""
    warnings.filterwarnings("ignore")
    print(f"SoundFont: {find_soundfont().path.name}")
    print_styles()
    print_cover_and_seed(covers_of(count), 5)
    print_pairs(covers_of(count + 20)[-20:])
    print_arcs(covers_of(12))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
