"""Peak memory and loading time of the neural engine: CLIP, InternVL2-1B and MusicGen-small in one process.

    python benchmarks/memory.py [--dtype int8] [--describe-dtype auto] [--folder DIR]

Writes full-size checkpoints with random weights (5 GB, removed afterwards unless --folder names where to
keep them), drops them from the page cache, reads them once as fast as the disk gives them, drops them again,
and loads them in a fresh process with the code that loads the real ones. Then one cover goes all the way.
Peaks are VmHWM of /proc/self/status, which counts mapped pages of the files as well as memory of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

GIB = 2**30
CHUNK = 8 * 2**20
SECONDS = 5.0


def build(folder: Path) -> None:
    """Write the three checkpoints; what is there already stays."""
    import torch
    from safetensors.torch import save_file
    from transformers import CLIPConfig, CLIPModel

    from tests.checkpoints import clip, internvl

    if not (folder / "musicgen" / "config.json").exists():
        from musicgen_checkpoint import build_small

        build_small(folder / "musicgen")
    if not (folder / "internvl" / "config.json").exists():
        (folder / "internvl").mkdir(parents=True, exist_ok=True)
        values = internvl.full_size_config()
        state = {name: tensor.to(torch.bfloat16) for name, tensor in internvl.tensors(values).items()}
        save_file(state, folder / "internvl" / "model.safetensors", metadata={"format": "pt"})
        internvl.write_tokenizer(folder / "internvl", english=True)
        (folder / "internvl" / "config.json").write_text(json.dumps(values))
    if not (folder / "clip" / "config.json").exists():
        target = clip.build(folder / "clip")
        config = CLIPConfig(vision_config={"patch_size": 16}, projection_dim=clip.WIDTH)
        torch.manual_seed(0)
        state = {name: tensor.detach().clone() for name, tensor in CLIPModel(config).state_dict().items()}
        save_file(state, target / "model.safetensors", metadata={"format": "pt"})
        picture = json.loads((target / "preprocessor_config.json").read_text())
        (target / "preprocessor_config.json").write_text(
            json.dumps(picture | {"crop_size": 224, "size": 224})
        )
        config.architectures = ["CLIPModel"]
        config.save_pretrained(target)


def weights(folder: Path) -> list[Path]:
    """The files that loading reads."""
    return sorted(folder.glob("*/*.safetensors"))


def forget(files: list[Path]) -> None:
    """Drop files from the page cache, so that the disk is read."""
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def read_all(files: list[Path]) -> float:
    """Seconds to read the files from end to end."""
    buffer = bytearray(CHUNK)
    start = time.perf_counter()
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
    return time.perf_counter() - start


def memory() -> dict[str, float]:
    """GiB of this process: its peak so far, and what it holds now, its own and mapped from files."""
    names = {"VmHWM": "peak", "RssAnon": "own", "RssFile": "mapped"}
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {ours: int(fields[theirs].split()[0]) * 1024 / GIB for theirs, ours in names.items()}


class Ledger:
    """Prints a line a stage."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        print(f"{'':34}{'seconds':>8}{'peak':>7}{'own':>7}{'mapped':>8}   GiB", flush=True)

    def note(self, stage: str) -> float:
        """Seconds since the last line."""
        took = time.perf_counter() - self._since
        now = memory()
        print(f"{stage:34}{took:8.1f}{now['peak']:7.2f}{now['own']:7.2f}{now['mapped']:8.2f}", flush=True)
        self._since = time.perf_counter()
        return took


def measure(folder: Path, dtype: str, describe_dtype: str) -> None:
    """Load everything as the worker does, make one clip, and report."""
    ledger = Ledger()
    from PIL import Image

    from albumgen_core.cover.read import Cover
    from albumgen_core.engines.base import ComposeRequest
    from albumgen_core.engines.neural.clip import load_embedder
    from albumgen_core.engines.neural.internvl.describer import InternVLDescriber
    from albumgen_core.engines.neural.musicgen import load_composer

    ledger.note("imports")
    embedder = load_embedder(str(folder / "clip"), device="cpu")
    took = ledger.note("CLIP loaded")
    describer = InternVLDescriber(folder / "internvl", device="cpu", dtype=describe_dtype)
    took += ledger.note(f"InternVL2-1B loaded ({str(describer._dtype).removeprefix('torch.')})")
    composer: Any = load_composer(folder / "musicgen", device="cpu", dtype=dtype)
    took += ledger.note(f"MusicGen-small loaded ({composer.decoder.dtype})")
    cover = Cover(Image.effect_noise((600, 600), 80).convert("RGB"), "0" * 64)
    embedder.embed([cover])
    ledger.note("cover embedded")
    attributes = describer.describe(cover, None)
    ledger.note("cover read")
    composer.compose([ComposeRequest("a calm ballad in D minor, 84 bpm", attributes, SECONDS, 1)])
    ledger.note(f"{SECONDS:g} s composed")
    print(f"loading: {took:.1f} s; peak of all: {memory()['peak']:.2f} GiB")


def main() -> None:
    """Build, read, load, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="where checkpoints are, or are made and kept")
    parser.add_argument("--dtype", default="int8", help="of MusicGen's decoder")
    parser.add_argument("--describe-dtype", default="auto", help="of InternVL")
    parser.add_argument("--in-process", choices=["build", "measure"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_process == "build":
        return build(options.folder)
    if options.in_process == "measure":
        return measure(options.folder, options.dtype, options.describe_dtype)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        more = ["--folder", str(folder), "--dtype", options.dtype, "--describe-dtype", options.describe_dtype]

        def run(step: str) -> None:
            subprocess.run([sys.executable, __file__, "--in-process", step, *more], check=True)

        run("build")
        files = weights(folder)
        size = sum(path.stat().st_size for path in files) / GIB
        forget(files)
        took = read_all(files)
        print(f"{size:.2f} GiB of weights, read raw in {took:.1f} s ({size / took:.2f} GiB/s)")
        forget(files)
        run("measure")


if __name__ == "__main__":
    main()
