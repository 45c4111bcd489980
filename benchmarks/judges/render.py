"""Write clips and what was asked for, for judge.py.

    python benchmarks/judges/render.py FOLDER [covers] [seeds]

FOLDER gets NUMBER.wav (10 s as they are handed over, without the encoder) and requests.json.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import soundfile
from PIL import Image
from scipy.signal import resample_poly

from albumgen_core.audio.mastering import master
from albumgen_core.cover.read import Cover
from albumgen_core.engines.base import ComposeRequest
from albumgen_core.engines.sketch import load_engine

sys.path.insert(0, str(Path(__file__).parents[1]))
from sketch_fidelity import development_covers, drawn_cover

RATE = 44_100


def main(folder: Path, covers: int, seeds: int) -> None:
    """Compose covers × seeds clips."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = development_covers()
    random.Random(3).shuffle(paths)
    pictures = [Cover(Image.open(path).convert("RGB"), path.name) for path in paths[:covers]]
    pictures = pictures or [drawn_cover(number) for number in range(covers)]
    engine = load_engine()
    requests = []
    for number, cover in enumerate(pictures):
        for seed in range(seeds):
            attributes = engine.describer.describe(cover, None, seed=seed)
            clip = engine.composer.compose([ComposeRequest("", attributes, 10.0, seed, cover=cover)])[0]
            assert clip is not None
            name = f"{len(requests):03}.wav"
            # madmom reads WAV files of 44.1 kHz by itself; for others it wants ffmpeg.
            sound = resample_poly(master(clip, -14.0).audio.samples.mean(axis=0), RATE, clip.sample_rate)
            soundfile.write(folder / name, sound, RATE, subtype="PCM_16")
            requests.append({"file": name, "cover": number, "seed": seed, **attributes.to_dict()})
    (folder / "requests.json").write_text(json.dumps(requests, indent=1), encoding="utf-8")
    print(f"{len(requests)} clips in {folder}")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[2:]]
    main(Path(sys.argv[1]), given[0] if given else 40, given[1] if len(given) > 1 else 5)
