"""The main job in one go: build a small album index, hear three covers, check what came out.

    python examples/demo.py [--out out/demo]

Everything is drawn, made up and played by AlbumGen itself: no download, no GPU, no account.
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

from albumgen_core.audio.encode import decode_mp3

HERE = Path(__file__).resolve().parent
SECONDS = 10.0


def albumgen(*arguments: str, environment: dict[str, str]) -> None:
    """Run a command as a user would, and stop when it fails."""
    print(f"\n$ albumgen {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "albumgen_core.cli.main", *arguments]
    finished = subprocess.run(command, env=environment, check=False)
    if finished.returncode:
        sys.exit(finished.returncode)


def main() -> None:
    """Index, generate, verify."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for the results")
    out = parser.parse_args().out
    covers = sorted((HERE / "covers").glob("*.png"))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as data:
        # A configuration of the user's own must not change what the demo shows.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ALBUMGEN_")}
        environment["ALBUMGEN_DATA_DIR"] = data
        environment["ALBUMGEN_ENGINE__FAMILY"] = "sketch"
        albumgen("index", "build", os.path.relpath(HERE / "shelf"), environment=environment)
        shelf = os.path.relpath(HERE / "shelf" / "albums.csv")
        albumgen("catalogue", "build", shelf, environment=environment)
        paths = [os.path.relpath(cover) for cover in covers]
        albumgen(
            "generate",
            *paths,
            "--seconds",
            f"{SECONDS:g}",
            "--seed",
            "7",
            "--out",
            str(out),
            environment=environment,
        )
    print()
    for cover in covers:
        folder = out / cover.stem
        length = decode_mp3(folder / "clip.mp3").seconds
        document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        if abs(length - SECONDS) > 0.1 or len(document["neighbours"]) != 5:
            sys.exit(f"{folder}: {length:.2f} s decoded, {len(document['neighbours'])} albums retrieved")
        print(f"✓ {folder}: an MP3 of {length:.2f} s, a card and the attributes as JSON")
    print(f"Done in {time.perf_counter() - started:.1f} s. Open the cards, play the clips.")


if __name__ == "__main__":
    main()
