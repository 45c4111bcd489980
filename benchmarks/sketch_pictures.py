"""Piano roll and spectrogram of a clip of each example cover, as docs/sketch.md shows them.

python benchmarks/sketch_pictures.py [folder]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image

from albumgen_core.cover.read import Cover
from albumgen_core.engines.sketch.arrangement import arrange
from albumgen_core.engines.sketch.brief import Brief
from albumgen_core.engines.sketch.palette import PaletteDescriber
from albumgen_core.engines.sketch.render import SAMPLE_RATE, perform, render
from albumgen_core.engines.sketch.soundfont import find_soundfont
from albumgen_core.engines.sketch.texture import texture_of

mpl.use("Agg")
import matplotlib.pyplot as plt

COVERS = Path(__file__).parents[1] / "examples" / "covers"
SECONDS = {0: 10.0, 1: 30.0, 2: 60.0}
COLOURS = {
    "lead": "#d62728",
    "voice": "#ff9896",
    "chords": "#1f77b4",
    "pad": "#9edae5",
    "arpeggio": "#9467bd",
    "bass": "#2ca02c",
    "drums": "#7f7f7f",
}


def draw(path: Path, seconds: float, out: Path) -> None:
    """One picture: the performance above, its spectrogram below."""
    cover = Cover(Image.open(path).convert("RGB"), path.name)
    brief = Brief.of(PaletteDescriber().describe(cover, None, seed=7), 7, texture_of(cover))
    piece = arrange(brief, seconds)
    sound = render(piece, find_soundfont().path).mean(axis=0)
    figure, (roll, spectrum) = plt.subplots(2, 1, figsize=(11, 6.4), sharex=True, layout="constrained")
    for track in perform(piece):
        for start, end, key, velocity in track.notes:
            begin, stop = start * brief.beat_seconds, min(seconds, end * brief.beat_seconds)
            shown = max(stop - begin, 0.04) if track.name != "drums" else 0.04
            roll.barh(
                key, shown, left=begin, height=0.9, color=COLOURS[track.name], alpha=min(1.0, velocity / 110)
            )
    for bar in piece.bars:
        if bar.place == 0 and piece.seconds_at(bar.start) < seconds:
            at = piece.seconds_at(bar.start)
            roll.axvline(at, color="black", linewidth=0.6)
            roll.text(at, roll.get_ylim()[1], f" {bar.section.kind}", va="top", fontsize=8)
    for name, colour in COLOURS.items():
        if any(part.role == name for part in piece.parts):
            roll.barh([0], [0], color=colour, label=name)
    roll.set_ylim(25, 95)
    roll.legend(loc="lower right", ncols=4, fontsize=8)
    roll.set_ylabel("MIDI note")
    a = brief.attributes
    roll.set_title(
        f"{path.stem}: {a.album_genre}, played as {brief.style_name}, {a.key} {a.mode}, "
        f"{a.tempo:.0f} BPM, {seconds:.0f} s"
    )
    window = np.hanning(2048)
    spectrum.specgram(
        sound + 1e-9, NFFT=2048, Fs=SAMPLE_RATE, noverlap=1024, window=window, vmin=-130, vmax=-40
    )
    spectrum.set_yscale("symlog", linthresh=500)
    spectrum.set_ylim(30, 20_000)
    spectrum.set_yticks(
        [100, 500, 1000, 2000, 4000, 8000, 16_000], labels=["100", "500", "1k", "2k", "4k", "8k", "16k"]
    )
    spectrum.set_ylabel("Hz")
    spectrum.set_xlabel("s")
    spectrum.set_xlim(0, seconds)
    figure.savefig(out / f"{path.stem}.png", dpi=80)
    plt.close(figure)
    print(out / f"{path.stem}.png")


def main(out: Path) -> None:
    """Draw the three examples at 10, 30 and 60 seconds."""
    out.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(sorted(COVERS.glob("*.png"))[:3]):
        draw(path, SECONDS[number], out)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/sketch"))
