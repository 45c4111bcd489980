"""Where the time between a cover and its result goes: a breakdown of the whole pipeline.

    python benchmarks/pipeline.py [--engine sketch] [--config config.toml] [--clips 5] [--seconds 10]
    python benchmarks/pipeline.py --random FOLDER [--clips 2]

Covers are drawn, written as JPEG, and go through the very stages that the worker takes them through:
reading the picture, embedding, retrieval, description, prompt, composing and encoding. Without `--config`
the defaults hold; the neural engine needs the weights that the configuration names. With `--random` it works
with full-size checkpoints of random weights instead (CLIP ViT-B/16, InternVL2-1B, MusicGen-small; 5 GB, made
in FOLDER by `benchmarks/memory.py` where they are not there yet). They take as long as trained ones: a clip's
length is given, an answer's form is enforced, and its one free text, the artist, which random weights would
never end, is held to the length of a name. Where there is no album index, one of the albums in
`examples/shelf` is made. The last stage is then taken apart, each of its pieces alone on the same sound.
Shares are what carries from one machine to another.
"""

from __future__ import annotations

import argparse
import io
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from sketch_fidelity import drawn_cover

from albumgen_core.audio import encode
from albumgen_core.audio.mastering import master
from albumgen_core.card import render_card
from albumgen_core.cover.read import read_cover
from albumgen_core.dataset.sources import read_source
from albumgen_core.jobs.spec import ClipOptions
from albumgen_core.pipeline.build import open_pipeline
from albumgen_core.pipeline.stages import ClipRequest, Pipeline
from albumgen_core.result import Take, write_take
from albumgen_core.retrieval import AlbumIndex, build_index
from albumgen_core.settings import EngineSettings, Settings, load_settings

ROOT = Path(__file__).resolve().parent.parent
NAME = 12


def main() -> None:
    """Take covers through the pipeline and print medians."""
    options = parse()
    settings = settings_of(options)
    with tempfile.TemporaryDirectory() as scratch:
        if options.random is not None:
            shorten_names()
        begun = time.perf_counter()
        pipeline = open_pipeline(settings)
        print(f"{pipeline.engine.family} engine loaded in {time.perf_counter() - begun:.2f} s")
        measure(with_index(pipeline, settings, Path(scratch)), options, Path(scratch))


def measure(pipeline: Pipeline, options: argparse.Namespace, scratch: Path) -> None:
    """Take clips, and print where their time went."""
    stages: dict[str, list[float]] = {}
    pieces: dict[str, list[float]] = {}
    for number in range(options.clips + 1):
        request, took = read_request(number, options.seconds)
        begun = time.perf_counter()
        take = run(pipeline, request)
        whole = time.perf_counter() - begun
        took |= take.timings
        took["the rest"] = whole - sum(take.timings.values())
        begun = time.perf_counter()
        write_take(take, scratch / "take")
        took["write files"] = time.perf_counter() - begun
        if number:  # the first one reads and builds what later ones find
            collect(stages, took)
            collect(pieces, taken_apart(pipeline, request, take))
    engine = pipeline.engine
    print(f"{engine.embedder.name}, {engine.describer.name}, {engine.composer.name}")
    print(f"{options.clips} clips of {options.seconds:g} s, medians")
    table(stages, "all")
    print("encode, piece by piece (MP3, Opus and card go side by side):")
    table(pieces, "one after the other")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--engine", choices=["sketch", "neural"], help="in place of the configured one")
    parser.add_argument("--random", type=Path, metavar="FOLDER", help="neural, with random weights")
    parser.add_argument("--config", type=Path, help="a configuration file")
    parser.add_argument("--clips", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0)
    return parser.parse_args()


def settings_of(options: argparse.Namespace) -> Settings:
    """The configuration, with the engine that was asked for."""
    settings = load_settings(options.config)
    chosen: dict[str, Any] = {"family": options.engine} if options.engine else {}
    if options.random is not None:
        folder = options.random.resolve()
        build = [ROOT / "benchmarks" / "memory.py", "--in-process", "build", "--folder", folder]
        subprocess.run([sys.executable, *map(str, build)], check=True)  # its memory goes with it
        models = {role: {"model": str(folder / role)} for role in ("clip", "internvl", "musicgen")}
        chosen = {"family": "neural", **models}
    engine = EngineSettings.model_validate(settings.engine.model_dump() | chosen)
    return settings.model_copy(update={"engine": engine})


def shorten_names() -> None:
    """Let the describer write no more than NAME characters of free text."""
    from albumgen_core.engines.neural.internvl import describer

    schema = describer.answer_schema()
    for field in schema["properties"].values():
        if "maxLength" in field:
            field["maxLength"] = NAME
    describer.answer_schema = lambda: schema


def with_index(pipeline: Pipeline, settings: Settings, scratch: Path) -> Pipeline:
    """The pipeline, with an index of a few albums where it has none."""
    if pipeline.index is not None:
        return pipeline
    embedder = pipeline.engine.embedder
    build_index(read_source(ROOT / "examples" / "shelf").with_covers(), embedder, scratch / "index")
    index = AlbumIndex.open(scratch / "index", embedder_name=embedder.name)
    return Pipeline(pipeline.engine, index, clip=settings.clip, k=settings.index.k)


def read_request(number: int, seconds: float) -> tuple[ClipRequest, dict[str, float]]:
    """A cover as a member would send it, and the seconds that reading it took."""
    sent = io.BytesIO()
    drawn_cover(number).image.convert("RGB").resize((1000, 1000)).save(sent, "JPEG", quality=90)
    begun = time.perf_counter()
    cover = read_cover(sent.getvalue())
    return ClipRequest(cover, ClipOptions(seconds=seconds, seed=number)), {
        "read cover": time.perf_counter() - begun
    }


def run(pipeline: Pipeline, request: ClipRequest) -> Take:
    """The take of one request."""
    outcome = pipeline.run([request])[0]
    if not isinstance(outcome, Take):
        raise SystemExit(f"The pipeline stopped: {outcome}")
    return outcome


def taken_apart(pipeline: Pipeline, request: ClipRequest, take: Take) -> dict[str, float]:
    """Seconds that each piece of the encoding stage takes alone."""
    audio = take.audio
    took: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        begun = time.perf_counter()
        result = work()
        took[name] = time.perf_counter() - begun
        return result

    tags = encode.ClipTags("Benchmark", "sketch", "rock", 120.0, "A", "minor", None, "", request.options.seed)
    finished = timed("mastering", lambda: master(audio, encode.LOUDNESS_LUFS)).audio
    timed("MP3", lambda: encode._encode_mp3(encode._segment(finished), [192], 2**30))
    timed("Opus", lambda: encode._begin_opus(finished, tags).result())
    timed("cover as JPEG", request.cover.to_jpeg)
    timed("card", lambda: render_card(pipeline.card_content(take, request)))
    return took


def collect(into: dict[str, list[float]], took: dict[str, float]) -> None:
    """Add one clip's seconds to what was measured before."""
    for name, seconds in took.items():
        into.setdefault(name, []).append(seconds)


def table(measured: dict[str, list[float]], total: str) -> None:
    """Milliseconds and shares, in the order of the stages."""
    medians = {name: median(times) for name, times in measured.items()}
    whole = sum(medians.values())
    for name, seconds in medians.items():
        print(f"  {name:22}{seconds * 1e3:9.1f} ms{seconds / whole:7.0%}")
    print(f"  {total:22}{whole * 1e3:9.1f} ms")


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # what it would say of a missing index is mended here
    main()
