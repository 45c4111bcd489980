"""`albumgen evaluate words`: what the words on covers are worth."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import MofNCompleteColumn

from albumgen_core.cli.catalogue import CatalogueOption
from albumgen_core.cli.console import ConfigOption, errors_as_sentences, progress_bar, say, settings_for
from albumgen_core.cli.dataset import CoversOption, KindOption, LimitOption
from albumgen_core.cli.index import counting, print_problems
from albumgen_core.dataset.records import AlbumRecord
from albumgen_core.dataset.sources import SourceKind, read_source
from albumgen_core.errors import DatasetError
from albumgen_core.files import write_durably
from albumgen_core.retrieval.catalogue.store import CatalogueStore
from albumgen_core.retrieval.text.lines import TextLine

LEAST = 30


def words(
    source: Annotated[Path, typer.Argument(help="Covers with their albums: any source with covers.")],
    folder: Annotated[
        Path, typer.Option("--out", "-o", help="Where the report goes.", file_okay=False)
    ] = Path("evaluation/words"),
    kind: KindOption = SourceKind.AUTO,
    covers: CoversOption = None,
    catalogue: CatalogueOption = None,
    lines: Annotated[
        Path | None,
        typer.Option(
            "--lines",
            help="Keep what was read here, and read only covers that are not in it yet.",
            dir_okay=False,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", help="Also fit on all covers and write the weights here.", dir_okay=False),
    ] = None,
    limit: LimitOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the folds.")] = 0,
    config: ConfigOption = None,
) -> None:
    """Do the words on covers tell whose albums they are, and how those sound?

    Reads every cover and looks its words up in the catalogue, with the album wholly left out, with its title
    alone, and with everything. Matching and weights are fitted inside ten folds with no artist in two of
    them. Writes one page of HTML, JSON, a plot and a list of confusions.
    """
    with errors_as_sentences():
        from albumgen_core.evaluation.words import evaluate_words, fit_predictor, make_examples
        from albumgen_core.evaluation.words_report import write_report

        settings = settings_for(config)
        data = read_source(source, kind, covers=covers).with_covers().limited(limit, seed)
        if len(data.records) < LEAST:
            raise DatasetError(f"{data.name} has {len(data.records)} covers; {LEAST} are the least.")
        with (
            CatalogueStore(catalogue or settings.catalogue_path) as store,
            progress_bar(MofNCompleteColumn()) as progress,
        ):
            read = read_all(data.records, lines, counting(progress, "reading covers"))
            known = store.catalogue
            albums = list(store.every_album())
            examples = make_examples(known, albums, [record.album for record in data.records], read)
            evaluation = evaluate_words(known, examples, seed=seed)
            command = shlex.join(["albumgen", *sys.argv[1:]])
            for sentence in write_report(evaluation, known, folder, command):
                say(sentence)
            if save is not None:
                fitted_on = f"{len(examples):,} covers, a catalogue of {known.albums:,} albums"
                fit_predictor(known, examples, seed=seed, source=fitted_on).save(save)
                say((f"Weights: {save}", "dim"))
        say((f"Report: {folder / 'index.html'}", "dim"))
        print_problems(data.problems)


def read_all(
    records: Sequence[AlbumRecord], kept: Path | None, on_progress: Callable[[int, int], None]
) -> list[list[TextLine]]:
    """The lines of every cover, read or taken from `kept`. Raises CoverError."""
    from albumgen_core.dataset.pictures import load_cover
    from albumgen_core.retrieval.text.reader import CoverReader

    store: dict[str, list[dict[str, object]]] = {}
    if kept is not None and kept.is_file():
        store = json.loads(kept.read_text(encoding="utf-8"))
    reader = CoverReader()
    found = []
    for number, record in enumerate(records, start=1):
        assert record.cover is not None
        name = record.album.album_id
        if name not in store:
            store[name] = [line.to_dict() for line in reader.read(load_cover(record.cover))]
        found.append([TextLine.from_dict(line) for line in store[name]])
        on_progress(number, len(records))
    if kept is not None:
        write_durably(kept, json.dumps(store, ensure_ascii=False).encode())
    return found
