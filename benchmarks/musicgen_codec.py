"""EnCodec's decoder beside transformers': one command, a table.

    python benchmarks/musicgen_codec.py [--seconds 10] [--folder FOLDER]

Full-size random weights of musicgen-small's codec; the clip's tokens decoded whole by both, and piece by
piece as a clip is while it is being composed, in interleaved rounds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from transformers import MusicgenForConditionalGeneration

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from albumgen_core.engines.neural.musicgen.codec import Codec
from albumgen_core.engines.neural.musicgen.generate import EMIT_FRAMES
from albumgen_core.engines.neural.musicgen.open import open_checkpoint
from albumgen_core.engines.neural.musicgen.stream import SoundStream
from albumgen_core.engines.neural.musicgen.threads import set_threads
from benchmarks.musicgen_checkpoint import build_small


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the random checkpoint is kept between runs")
    options = parser.parse_args()
    threads = set_threads(None)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "musicgen-small-random"
        if not (folder / "model.safetensors").exists():
            build_small(folder)
        ways = build_ways(folder, options.seconds)
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, decode in ways.items():
                begin = time.perf_counter()
                decode()
                seconds[name].append(time.perf_counter() - begin)
    print(f"{options.seconds:g} s of music on {threads} threads, medians of {options.rounds} rounds")
    first = median(next(iter(seconds.values())))
    for name, taken in seconds.items():
        print(f"{name:<28}{median(taken):>8.3f} s{first / median(taken):>8.1f} x")


@torch.inference_mode()
def build_ways(folder: Path, seconds: float) -> dict[str, Callable[[], object]]:
    """The ways to decode the same tokens, the reference first."""
    stock = MusicgenForConditionalGeneration.from_pretrained(folder).audio_encoder.eval()
    codec = Codec(open_checkpoint(folder), torch.device("cpu"))
    tokens = torch.randint(0, 2048, (codec.codebooks, round(seconds * codec.frame_rate)))

    @torch.inference_mode()
    def reference() -> torch.Tensor:
        sound: torch.Tensor = stock.decode(tokens[None, None], [None]).audio_values[:, 0]
        return sound

    def pieces() -> torch.Tensor:
        stream = SoundStream(codec, 1, tokens.shape[1])
        for known in range(EMIT_FRAMES, tokens.shape[1] + EMIT_FRAMES, EMIT_FRAMES):
            stream.feed(tokens[:, :known])
        return stream.samples

    expected = reference()
    for ours in (codec.decode(tokens[None]), pieces()):
        print(f"largest difference from transformers': {(ours - expected).abs().max():.1e}")
    return {
        "transformers, whole": reference,
        "AlbumGen, whole": lambda: codec.decode(tokens[None]),
        "AlbumGen, piece by piece": pieces,
    }


if __name__ == "__main__":
    main()
