"""`albumgen evaluate attributes`: what readings of covers are worth."""

from __future__ import annotations

import random
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import MofNCompleteColumn

from albumgen_core.cli.console import (
    ConfigOption,
    EngineOption,
    errors_as_sentences,
    progress_bar,
    say,
    settings_for,
)
from albumgen_core.cli.dataset import CoversOption, KindOption, LimitOption
from albumgen_core.cli.index import counting, embedder_of, print_problems
from albumgen_core.dataset.sources import SourceKind, read_source
from albumgen_core.engines.base import Describer
from albumgen_core.errors import DatasetError
from albumgen_core.retrieval.embedding import embed_records
from albumgen_core.settings import Settings

LEAST = 10
"""Fewer albums than this say nothing."""


def attributes(
    source: Annotated[Path, typer.Argument(help="A prepared data set, or any source with covers.")],
    folder: Annotated[
        Path, typer.Option("--out", "-o", help="Where the report goes.", file_okay=False)
    ] = Path("evaluation/attributes"),
    kind: KindOption = SourceKind.AUTO,
    covers: CoversOption = None,
    engine: EngineOption = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Read every album, not the test part alone: for readers that have not learned from them.",
        ),
    ] = False,
    adapter: Annotated[
        str | None,
        typer.Option(
            help="LoRA adapter to compare with the pretrained model.  [default: the configured one]"
        ),
    ] = None,
    free: Annotated[
        bool, typer.Option("--free/--no-free", help="Also count valid answers without a grammar (neural).")
    ] = True,
    k: Annotated[
        int | None, typer.Option("-k", min=1, max=50, help="Neighbours.  [default: index.k]")
    ] = None,
    limit: LimitOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the split, where the data set brings none.")] = 0,
    config: ConfigOption = None,
) -> None:
    """Read covers, with neighbours and without, and hold the answers against the truth.

    Errors beside the mean, the median and the genre's, genre, tempo and key, diversity, validity and speed;
    for the neural engine, pretrained and fine-tuned. Neighbours and baselines come from the training part,
    or from all other artists' albums with --all. Writes one page of HTML, JSON and two plots.
    """
    with errors_as_sentences():
        from albumgen_core.evaluation.attributes import (
            AttributeEvaluation,
            groups_of,
            read_covers,
            what_is_known,
        )
        from albumgen_core.evaluation.attributes_report import write_report
        from albumgen_core.retrieval.leak_free import LeakFreeNeighbours
        from albumgen_core.training.prepare import part_of

        settings = settings_for(config, engine=engine)
        k = k or settings.index.k
        data = read_source(source, kind, covers=covers).with_covers()
        parts = part_of(data, source, seed)
        embedder = embedder_of(settings)
        conditions = []
        with progress_bar(MofNCompleteColumn()) as progress:
            embedded = embed_records(
                data.records, embedder, on_progress=counting(progress, "embedding covers")
            )
            rows = range(len(embedded.records))
            ids = [record.album.album_id for record in embedded.records]
            known = [row for row in rows if everything or parts.get(ids[row]) == "train"]
            asked = [row for row in rows if everything or parts.get(ids[row]) == "test"]
            asked = sorted(random.Random(seed).sample(asked, min(limit or len(asked), len(asked))))
            if len(asked) < LEAST or len(known) < LEAST:
                raise DatasetError(
                    f"{data.name} has {len(asked)} readable albums to read and {len(known)} to compare with; "
                    f"{LEAST} of each are the least."
                )
            pool, records = [embedded.records[row] for row in known], [embedded.records[row] for row in asked]
            shelf, vectors = LeakFreeNeighbours(pool, embedded.vectors[known]), embedded.vectors[asked]
            for name, load in readers(settings, adapter):
                reader = load()
                for near in (None, shelf):
                    words = f"{name}, {'with neighbours' if near else 'cover alone'}"
                    conditions.append(
                        read_covers(
                            reader,
                            name,
                            records,
                            shelf=near,
                            vectors=vectors,
                            k=k,
                            free=free and hasattr(reader, "answer_freely"),
                            on_progress=counting(progress, words),
                        )
                    )
                del reader  # two models at a time may not fit
        evaluation = AttributeEvaluation(
            records, groups_of(records), len(pool), what_is_known(records, pool), conditions, k, embedder.name
        )
        for sentence in write_report(evaluation, folder, shlex.join(["albumgen", *sys.argv[1:]])):
            say(sentence)
        say((f"Report: {folder / 'index.html'}", "dim"))
        print_problems([*data.problems, *embedded.problems])


def readers(settings: Settings, adapter: str | None) -> Sequence[tuple[str, Callable[[], Describer]]]:
    """Names and loaders of what is to be compared: one model at a time need be in memory."""
    if settings.engine.family == "sketch":
        from albumgen_core.engines.sketch.genre_means import USUAL_FEATURES
        from albumgen_core.engines.sketch.palette import PaletteDescriber
        from albumgen_core.retrieval.cover_words import nothing_read
        from albumgen_core.retrieval.describing import WordsDescriber

        # As without a catalogue: with one, the albums to be read might be in it.
        return [("sketch", lambda: WordsDescriber(PaletteDescriber(), nothing_read, USUAL_FEATURES))]
    from albumgen_core.engines.neural.load import load_describer

    chosen = settings.engine.internvl.adapter if adapter is None else adapter
    found = [("pretrained", lambda: load_describer(settings.engine, ""))]
    if chosen:
        found.append(("fine-tuned", lambda: load_describer(settings.engine, chosen)))
    return found
