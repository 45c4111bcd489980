"""How long the sketch engine takes from a cover to an MP3, stage by stage.

    python benchmarks/sketch_speed.py [clips] [seconds]

The cover is drawn and decoded beforehand. The MP3 is made by albumgen_core.clip where this build has it;
without it the table ends with the composed audio. The ratio is the clip's length over the time it took:
how many times faster than playing it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from sketch_fidelity import drawn_cover

from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.types import Audio
from albumgen_core.engines.base import ComposeRequest
from albumgen_core.engines.sketch import load_engine


def main(clips: int, seconds: float) -> None:
    """Time each stage for every clip and print medians and the slowest."""
    begun = time.perf_counter()
    engine = load_engine()
    loaded = time.perf_counter() - begun
    stages: dict[str, list[float]] = {"embed": [], "describe": [], "compose": []}
    encode = _encoder()
    if encode:
        stages["MP3"] = []
    for number in range(clips + 1):
        cover = drawn_cover(number)
        marks = [time.perf_counter()]
        engine.embedder.embed([cover])
        marks.append(time.perf_counter())
        attributes = engine.describer.describe(cover, None, seed=number)
        marks.append(time.perf_counter())
        audio = engine.composer.compose([ComposeRequest("", attributes, seconds, number)])[0]
        assert audio is not None
        marks.append(time.perf_counter())
        if encode:
            encode(audio, attributes)
            marks.append(time.perf_counter())
        if number:  # the first one reads the SoundFont
            for stage, begin, end in zip(stages, marks, marks[1:], strict=False):
                stages[stage].append(end - begin)
    print(f"engine loaded in {loaded:.2f} s; {clips} clips of {seconds:g} s")
    print(f"{'stage':10}{'median':>10}{'slowest':>10}")
    totals = [sum(times) for times in zip(*stages.values(), strict=True)]
    for name, times in {**stages, "all": totals}.items():
        print(f"{name:10}{median(times) * 1000:8.0f}ms{max(times) * 1000:8.0f}ms")
    ending = "" if encode else " (without the MP3)"
    print(f"{seconds / median(totals):.0f} times faster than playing it{ending}")


def _encoder() -> Callable[[Audio, MusicalAttributes], Any] | None:
    if importlib.util.find_spec("albumgen_core.audio.encode") is None:
        return None
    clip = importlib.import_module("albumgen_core.audio.encode")

    def encode(audio: Audio, attributes: MusicalAttributes) -> Any:
        tags = clip.ClipTags(
            title="Benchmark",
            engine="sketch",
            genre=attributes.album_genre,
            tempo=attributes.tempo,
            key=attributes.key,
            mode=attributes.mode,
            cover_jpeg=None,
            prompt="",
            seed=0,
        )
        return clip.encode_clip(audio, tags, max_bytes=8 * 1024 * 1024, loudness_lufs=-14.0)

    return encode


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, float(sys.argv[2]) if len(sys.argv) > 2 else 10.0)
