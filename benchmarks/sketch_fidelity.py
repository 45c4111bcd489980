"""Does the sketch engine play what it predicted? Measure its tempo and key with other people's tools.

    python benchmarks/sketch_fidelity.py [clips] [seconds]

Two sets are measured. "covers": attributes read from pictures (drawn here, or development data where there
is some), composed with a fresh seed each. "grid": every genre in turn with random attributes, metres 3 to 7,
both modes and tempi from 50 to 200, which is wider than covers ever ask for.

Tempo is librosa's autocorrelation estimate (hop 128, else its defaults). It counts beats as the engine does
(the metre's beat: 6 at 120 BPM is six beats of half a second). It counts as found within 3 % of the
predicted tempo, its half or its double ("octave"), or also its third or triple ("any level", the
"Accuracy 2" of the MIREX audio tempo task). The key is the best of 24 correlations of librosa's mean CQT
chroma with the Krumhansl–Kessler profiles (1982); tonic and mode must both be right.

Each clip is also encoded, and its MP3 and Ogg-Opus are decoded again: the highest true peak of all (four
times oversampled, in dBTP; at most −1) and the lowest and highest loudness (LUFS; −14 is wanted).
"""

from __future__ import annotations

import io
import math
import os
import random
import sys
import warnings
from pathlib import Path

import librosa
import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from albumgen_core.attributes.fields import KEYS
from albumgen_core.attributes.genres import GENRES
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.encode import ClipTags, encode_clip
from albumgen_core.audio.mastering import integrated_loudness, true_peaks
from albumgen_core.audio.types import Audio
from albumgen_core.cover.read import Cover
from albumgen_core.engines.base import ComposeRequest
from albumgen_core.engines.sketch import load_engine
from albumgen_core.engines.sketch.style_words import style_name
from albumgen_core.engines.sketch.styles import STYLES

RATE = 22_050
TOLERANCE = 0.03
OCTAVES = (0.5, 1.0, 2.0)
LEVELS = (1 / 3, *OCTAVES, 3.0)
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def measured_tempo(sound: NDArray[np.float32]) -> float:
    """Beats a minute of mono sound at 22,050 Hz."""
    envelope = librosa.onset.onset_strength(y=sound, sr=RATE, hop_length=128)
    return float(librosa.feature.tempo(onset_envelope=envelope, sr=RATE, hop_length=128)[0])


def key_ranking(sound: NDArray[np.float32]) -> list[tuple[str, str]]:
    """All 24 keys of mono sound at 22,050 Hz, likeliest first."""
    chroma = librosa.feature.chroma_cqt(y=sound, sr=RATE).mean(axis=1)
    scores = {
        (KEYS[tonic], mode): float(np.corrcoef(np.roll(profile, tonic), chroma)[0, 1])
        for mode, profile in (("major", MAJOR), ("minor", MINOR))
        for tonic in range(12)
    }
    return sorted(scores, key=lambda key: -scores[key])


def fits(tempo: float, truth: float, ratios: tuple[float, ...]) -> bool:
    """Whether a measured tempo is within 3 % of an allowed multiple of the true one."""
    return any(abs(tempo / (truth * ratio) - 1) < TOLERANCE for ratio in ratios)


def drawn_cover(number: int) -> Cover:
    """A picture of soft or hard shapes in random colours; different for every number."""
    chance = random.Random(number)
    light, colour = chance.random(), chance.random()

    def shade() -> tuple[int, int, int]:
        grey = min(1.0, max(0.0, chance.gauss(light, 0.25)))
        r, g, b = (int(255 * min(1.0, max(0.0, grey + colour * chance.uniform(-0.6, 0.6)))) for _ in range(3))
        return r, g, b

    image = Image.new("RGB", (320, 320), shade())
    draw = ImageDraw.Draw(image)
    for _ in range(chance.choice((2, 6, 25, 120))):
        x, y, size = chance.randrange(320), chance.randrange(320), chance.randrange(8, 160)
        box = (x - size, y - size, x + size, y + size)
        (draw.ellipse if chance.random() < 0.5 else draw.rectangle)(box, fill=shade())
    image = image.filter(ImageFilter.GaussianBlur(chance.choice((0, 0, 3, 20))))
    return Cover(image, f"{number:064x}")


def development_covers() -> list[Path]:
    """Real covers, where ALBUMGEN_DEV_DATA names a folder with data/covers/images."""
    root = os.environ.get("ALBUMGEN_DEV_DATA")
    return sorted((Path(root) / "data" / "covers" / "images").glob("*.jpg")) if root else []


def grid(number: int) -> MusicalAttributes:
    """Random attributes, the widest the engine is asked for."""
    chance = random.Random(number)
    return MusicalAttributes(
        artist_name="Unknown artist",
        album_genre=GENRES[number % len(GENRES)],
        key=chance.choice(KEYS),
        mode=chance.choice(("major", "minor")),
        time_signature=chance.choice((3, 4, 4, 5, 6, 7)),
        tempo=round(math.exp(chance.uniform(math.log(50), math.log(200))), 1),
        loudness=chance.uniform(0.4, 1.0),
        acousticness=chance.random(),
        danceability=chance.random(),
        energy=chance.random(),
        instrumentalness=chance.random(),
        liveness=chance.uniform(0.0, 0.6),
        speechiness=chance.uniform(0.0, 0.5),
        valence=chance.random(),
    )


def decoded_levels(clip: Audio) -> list[tuple[float, float]]:
    """(true peak in dBTP, loudness in LUFS) of a clip's MP3 and of its Ogg-Opus, decoded again."""
    encoded = encode_clip(clip, ClipTags("t", "sketch", "rock", 120, "C", "major", None, "", 0))
    levels = []
    for data in (encoded.mp3, encoded.ogg):
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        peak = 20 * math.log10(max(1e-9, float(true_peaks(samples.T).max())))
        levels.append((peak, integrated_loudness(samples.T, rate) or -math.inf))
    return levels


def main(clips: int, seconds: float) -> None:
    """Measure both sets and print a table."""
    warnings.filterwarnings("ignore")
    engine = load_engine()
    paths = development_covers()
    random.Random(0).shuffle(paths)
    covers = [Cover(Image.open(path).convert("RGB"), path.name) for path in paths[:clips]]
    source = "development data" if covers else "drawn"
    covers = covers or [drawn_cover(n) for n in range(clips)]
    sets = {
        f"covers ({source})": [
            engine.describer.describe(cover, None, seed=n) for n, cover in enumerate(covers)
        ],
        "grid": [grid(n) for n in range(clips)],
    }
    print(f"{'set':28}{'clips':>6}{'octave':>9}{'any level':>11}{'key top 1':>11}{'key top 2':>11}")
    for name, attributes in sets.items():
        print(f"{name:28}", end="", flush=True)
        results, missed, levels = [], [], []
        for number, wanted in enumerate(attributes):
            clip = engine.composer.compose([ComposeRequest("", wanted, seconds, number)])[0]
            assert clip is not None
            levels += decoded_levels(clip)
            sound = librosa.resample(clip.samples.mean(axis=0), orig_sr=clip.sample_rate, target_sr=RATE)
            tempo, keys = measured_tempo(sound), key_ranking(sound)
            rank = keys.index((wanted.key, wanted.mode or "major"))
            row = (fits(tempo, wanted.tempo, OCTAVES), fits(tempo, wanted.tempo, LEVELS), rank < 1, rank < 2)
            results.append(row)
            if not (row[1] and row[3]):
                style = style_name(wanted.album_genre)
                missed.append(
                    f"  {number:3} {wanted.album_genre} ({style}), {wanted.time_signature} at "
                    f"{wanted.tempo:.0f}: heard {tempo:.1f}; {wanted.key} {wanted.mode}: rank {rank + 1}"
                )
        shares = [f"{100 * share:.0f} %" for share in np.mean(results, axis=0)]
        print(f"{len(results):6}{shares[0]:>9}{shares[1]:>11}{shares[2]:>11}{shares[3]:>11}")
        peaks, loudness = zip(*levels, strict=True)
        print(f"  decoded: {max(peaks):.2f} dBTP, {min(loudness):.1f} to {max(loudness):.1f} LUFS")
        print("\n".join(missed))
    print(f"{len({style_name(genre) for genre in GENRES})} of {len(STYLES)} styles in the grid")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100, float(sys.argv[2]) if len(sys.argv) > 2 else 10.0)
