"""The plot of benchmarks/musicgen.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLOURS = {
    "stock": "#9aa0a6",
    "audiocraft": "#c9b458",
    "float32": "#7aa6c2",
    "bfloat16": "#5b8fb9",
    "float16": "#3b75af",
    "onnx int8": "#8e7cc3",
    "int8 torch": "#e39b52",
    "int8": "#d1603d",
}

REAL_TIME = 20
"""Milliseconds a step at MusicGen's 50 frames a second."""


def plot(rows: list[Any], path: Path) -> None:
    """Milliseconds a step beside their floors, and seconds of music a second for every batch size."""
    seconds = min(row.seconds for row in rows)
    rows = [row for row in rows if row.seconds == seconds]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    single = [row for row in rows if row.batch == 1]
    places = range(len(single))
    left.barh(
        places, [row.step * 1e3 for row in single], color=[COLOURS[row.engine] for row in single], height=0.6
    )
    for place, row in zip(places, single, strict=True):
        if row.nbytes:
            floor = row.nbytes / row.bandwidth * 1e3
            left.plot([floor, floor], [place - 0.38, place + 0.38], color="black", linewidth=2)
        edge = max(row.step * 1e3, REAL_TIME)  # beside the bar and both lines
        offset = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
        left.annotate(f"{row.step * 1e3:.0f} ms", (edge, place), **offset)
    left.plot([], [], color="black", linewidth=2, label="reading the weights once")
    left.axvline(REAL_TIME, color="#2e7d32", linestyle=":", label="real time, 20 ms")
    left.set_yticks(places, [row.engine for row in single])
    left.invert_yaxis()
    left.margins(x=0.14)
    left.set_xlabel("milliseconds a step")
    left.set_title(f"One {seconds} s clip")
    left.legend(frameon=False, loc="lower right")
    batches = sorted({row.batch for row in rows})
    engines = list(dict.fromkeys(row.engine for row in rows))
    width = 0.8 / len(engines)
    for number, engine in enumerate(engines):
        rates = [row.batch / row.step / 50 for row in rows if row.engine == engine]
        offsets = [place + (number - (len(engines) - 1) / 2) * width for place in range(len(batches))]
        right.bar(offsets, rates, width * 0.92, color=COLOURS[engine], label=engine)
    right.axhline(1, color="#2e7d32", linestyle=":")
    right.set_xticks(range(len(batches)), [f"{batch} clip{'s' if batch > 1 else ''}" for batch in batches])
    right.set_ylabel("seconds of music a second")
    right.set_title("At once")
    right.legend(frameon=False, loc="upper left")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"MusicGen-small on a CPU that reads {single[0].bandwidth / 1e9:.0f} GB/s")
    figure.savefig(path, dpi=130)
