"""`albumgen evaluate audio`: does the clip do what was asked?"""

from __future__ import annotations

import random
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import MofNCompleteColumn, TimeRemainingColumn

from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.cli.console import (
    ConfigOption,
    EngineOption,
    errors_as_sentences,
    progress_bar,
    say,
    settings_for,
)
from albumgen_core.cli.dataset import CoversOption, KindOption
from albumgen_core.cli.evaluate_attributes import readers
from albumgen_core.cli.index import counting
from albumgen_core.dataset.pictures import load_cover
from albumgen_core.dataset.sources import SourceKind, read_source
from albumgen_core.errors import AlbumGenError, DatasetError
from albumgen_core.retrieval.embedding import embed_records
from albumgen_core.settings import Settings

if TYPE_CHECKING:
    from albumgen_core.engines.base import Composer
    from albumgen_core.evaluation.audio import ClipResult
    from albumgen_core.evaluation.audio_report import Distance


def audio(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="Covers to read requests from.  [default: requests drawn over every genre, key and tempo]",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--out", "-o", help="Where the report goes.", file_okay=False)
    ] = Path("evaluation/audio"),
    kind: KindOption = SourceKind.AUTO,
    covers: CoversOption = None,
    engine: EngineOption = None,
    clips: Annotated[int, typer.Option(min=10, max=10_000, help="Clips to compose.")] = 100,
    seconds: Annotated[float, typer.Option(min=3.0, max=300.0, help="Length of each.")] = 10.0,
    reference: Annotated[
        Path | None,
        typer.Option(help="Folder of real music, for a Fréchet distance.", file_okay=False, exists=True),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the drawn requests or covers.")] = 0,
    config: ConfigOption = None,
) -> None:
    """Compose clips and measure tempo, key, loudness, brightness and onsets against the requests.

    Beside each figure stands what the same clips reach against each other's requests. Writes one page of
    HTML, JSON and two plots.
    """
    with errors_as_sentences():
        if find_spec("librosa") is None:
            raise AlbumGenError("Measuring clips needs librosa; run `pip install 'albumgen[evaluation]'`.")
        from albumgen_core.evaluation.audio import compose_and_measure, drawn_requests, evaluate_audio
        from albumgen_core.evaluation.audio_report import write_report
        from albumgen_core.evaluation.compiled_cache import use_own_cache
        from albumgen_core.evaluation.frechet import embed_folder

        use_own_cache()
        settings = settings_for(config, engine=engine)
        # First, because composing takes long and a folder without music is soon noticed.
        known = None if reference is None else embed_folder(reference)
        with progress_bar(MofNCompleteColumn(), TimeRemainingColumn()) as progress:
            if source is None:
                asked = drawn_requests(clips, seed)
            else:
                asked = _read(
                    settings, source, kind, covers, clips, seed, counting(progress, "reading covers")
                )
            composer = _composer(settings)
            results = compose_and_measure(
                composer,
                asked,
                seconds=seconds,
                batch=settings.inference.max_batch,
                style=settings.prompt.style,
                on_progress=counting(progress, "composing and measuring"),
            )
        distance = None if known is None else _distance(results, *known)
        evaluation = evaluate_audio(composer.name, results)
        command = shlex.join(["albumgen", *sys.argv[1:]])
        for sentence in write_report(evaluation, folder, distance, command):
            say(sentence)
        say((f"Report: {folder / 'index.html'}", "dim"))


def _read(
    settings: Settings,
    source: Path,
    kind: SourceKind,
    covers: Path | None,
    count: int,
    seed: int,
    on_progress: Callable[[int, int], None],
) -> list[MusicalAttributes]:
    """What the engine reads from covers drawn from a data set, without neighbours."""
    data = read_source(source, kind, covers=covers).with_covers()
    records = embed_records(data.records, None).records
    if len(records) < count:
        raise DatasetError(f"{data.name} has {len(records)} readable covers, fewer than {count}.")
    reader = readers(settings, None)[-1][1]()
    found = []
    for number, record in enumerate(random.Random(seed).sample(records, count)):
        assert record.cover is not None
        found.append(reader.describe(load_cover(record.cover), None, seed=number))
        on_progress(number + 1, count)
    return found


def _composer(settings: Settings) -> Composer:
    if settings.engine.family == "sketch":
        from albumgen_core.engines.sketch.composer import SketchComposer

        return SketchComposer(settings.engine.sketch.soundfont)
    from albumgen_core.engines.neural.load import load_composer

    return load_composer(settings.engine)


def _distance(results: Sequence[ClipResult], rows: NDArray[np.float64], sounds: int) -> Distance:
    from albumgen_core.evaluation.audio_report import Distance
    from albumgen_core.evaluation.frechet import EMBEDDING, frechet_distance, halves_distance

    ours = np.concatenate([clip.embedding for clip in results])
    return Distance(frechet_distance(ours, rows), halves_distance(rows), EMBEDDING, sounds)
