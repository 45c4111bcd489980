"""Whether clips that arrive while others are being composed should join them: batches against admission.

    python benchmarks/musicgen_admission.py --steps 14 16.3 20.9 21.5 --reading 6 [--rounds 200]

A burst of members is simulated on step times by batch size, milliseconds for 1, 2, 3, … clips at once
(`benchmarks/musicgen.py` measures them), and on the seconds in which a cover is read before its clip can be
composed (`benchmarks/pipeline.py`): the models share the processor, so while a cover is read, no clip grows.
Two ways of serving are compared on the very same arrivals:

- static: the clips that wait when the models are free are read and start together, and the next ones wait
  for all of them;
- admission: a clip is read and joins between two steps as soon as there is room, and leaves when it is done.

Latency runs from a clip's arrival to its last token. Clips of different lengths leave a static batch when
they are finished, as they do in `generate.py`; only the door is different.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass, field
from statistics import fmean

FRAME_RATE = 50
SIGNIFICANT = 0.2
"""Share of the mean latency that admission would have to save to be worth its machinery."""


@dataclass(slots=True)
class Clip:
    """A wish: when it came, and the steps it takes."""

    arrival: float
    steps: int
    left: int = field(init=False)
    finished: float = 0.0

    def __post_init__(self) -> None:
        self.left = self.steps


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way of serving made of one burst: seconds."""

    makespan: float
    latency: float
    worst: float


def serve(
    wishes: list[tuple[float, int]], step_times: list[float], reading: float, *, admission: bool
) -> Outcome:
    """Read and compose every clip, at most as many at once as there are step times."""
    waiting = [Clip(arrival, steps) for arrival, steps in sorted(wishes)]
    every, running, now = list(waiting), list[Clip](), 0.0
    while waiting or running:
        if not running:
            now = max(now, waiting[0].arrival)
        if admission or not running:
            # A static batch is who waits now; under admission the door stays open while covers are read.
            shut = now
            while waiting and len(running) < len(step_times):
                if waiting[0].arrival > (now if admission else shut):
                    break
                running.append(waiting.pop(0))
                now += reading
        now += step_times[len(running) - 1]
        for clip in running:
            clip.left -= 1
            if not clip.left:
                clip.finished = now
        running = [clip for clip in running if clip.left]
    latencies = [clip.finished - clip.arrival for clip in every]
    return Outcome(now - every[0].arrival, fmean(latencies), max(latencies))


def burst(clips: int, within: float, lengths: list[int], chance: random.Random) -> list[tuple[float, int]]:
    """Arrivals spread evenly at random over `within` seconds, of clips of one of `lengths` seconds."""
    return [(chance.uniform(0, within), chance.choice(lengths) * FRAME_RATE) for _ in range(clips)]


def main() -> None:
    """Simulate bursts of several sizes and print both ways side by side."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--steps",
        nargs="+",
        type=float,
        required=True,
        help="milliseconds a step of 1, 2, 3, … clips at once",
    )
    parser.add_argument("--reading", type=float, default=0.0, help="seconds in which a cover is read")
    parser.add_argument("--rounds", type=int, default=200, help="random bursts of each kind")
    options = parser.parse_args()
    step_times = [step / 1e3 for step in options.steps]
    steps = ", ".join(map(str, options.steps))
    print(f"{len(step_times)} clips at once at most; steps of {steps} ms, covers read in {options.reading} s")
    print(f"{'burst':<42}{'mean latency':>22}{'worst':>18}{'makespan':>18}{'saved':>8}")
    saved = []
    for clips in (3, 6, 12):
        for within in (2, 10, 30):
            for lengths in ([10], [5, 10, 30]):
                saved.append(compare(clips, within, lengths, step_times, options))
    verdict = "pays" if fmean(saved) > SIGNIFICANT else "does not pay"
    print(f"Admission saves {fmean(saved):.0%} of the mean latency over all bursts.")
    print(f"At a mark of {SIGNIFICANT:.0%} it {verdict}.")


def compare(
    clips: int, within: float, lengths: list[int], step_times: list[float], options: argparse.Namespace
) -> float:
    """One line of the table; returns the share of the mean latency that admission saves."""
    chance = random.Random(clips * 1000 + within)
    bursts = [burst(clips, within, lengths, chance) for _ in range(options.rounds)]
    static = [serve(wishes, step_times, options.reading, admission=False) for wishes in bursts]
    joined = [serve(wishes, step_times, options.reading, admission=True) for wishes in bursts]

    def both(name: str) -> str:
        a, b = (fmean(getattr(one, name) for one in some) for some in (static, joined))
        return f"{a:.1f} → {b:.1f} s"

    share = 1 - fmean(one.latency for one in joined) / fmean(one.latency for one in static)
    title = f"{clips} clips of {'/'.join(map(str, lengths))} s within {within} s"
    print(f"{title:<42}{both('latency'):>22}{both('worst'):>18}{both('makespan'):>18}{share:>8.0%}")
    return share


if __name__ == "__main__":
    main()
