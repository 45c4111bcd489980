"""`albumgen dataset`: fetch MusicOSet, prepare any collection, split it, and see what it holds."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import DownloadColumn, MofNCompleteColumn, TimeRemainingColumn
from rich.table import Table

from albumgen_core.cli.console import errors_as_sentences, note, out, progress_bar, say
from albumgen_core.cli.index import JsonOption, counting, print_problems
from albumgen_core.dataset.art import ArtReport, fetch_covers
from albumgen_core.dataset.http import FetchPolicy
from albumgen_core.dataset.musicoset import read_musicoset
from albumgen_core.dataset.prepared import prepare as prepare_folder
from albumgen_core.dataset.sources import COVERS, SourceKind, read_source
from albumgen_core.dataset.split import Part, part_sizes, split_albums, split_file, write_split
from albumgen_core.dataset.statistics import DatasetStatistics, describe_dataset
from albumgen_core.dataset.zenodo import API, fetch_tables

app = typer.Typer(
    help="Data sets: MusicOSet from Zenodo, P4KxSpotify, or your own folder of covers.", no_args_is_help=True
)

MISSING_REPORT = "missing-covers.csv"
_SHOWN_GENRES = 12

KindOption = Annotated[SourceKind, typer.Option("--source", help="What the source is; auto looks at it.")]
CoversOption = Annotated[
    Path | None,
    typer.Option("--covers", help="Folder of covers, for tables that come without.", file_okay=False),
]
LimitOption = Annotated[
    int | None, typer.Option(min=1, help="Only so many albums, drawn at random.", show_default=False)
]
SeedOption = Annotated[int, typer.Option(min=0, help="Draws and splits are the same for the same seed.")]


@app.command()
def fetch(
    folder: Annotated[Path, typer.Argument(help="Where tables and covers go.", file_okay=False)],
    covers: Annotated[
        bool, typer.Option("--covers/--tables-only", help="Fetch the album covers too.")
    ] = True,
    limit: LimitOption = None,
    seed: SeedOption = 0,
    concurrency: Annotated[int, typer.Option(min=1, max=32, help="Covers fetched at a time.")] = 8,
    ask_again: Annotated[
        bool, typer.Option("--ask-again", help="Ask for covers that were gone, too.")
    ] = False,
    api: Annotated[str, typer.Option(help="Address of Zenodo's API.", hidden=True)] = API,
) -> None:
    """Fetch MusicOSet: its tables from Zenodo, then the covers its albums point to.

    Stop it at any time: the same command goes on where it was. MusicOSet is meant for research; the
    covers belong to their owners and are not AlbumGen's to pass on.
    """
    with errors_as_sentences():
        policy = FetchPolicy(concurrency=concurrency)
        with progress_bar(DownloadColumn(), TimeRemainingColumn()) as progress:
            task = progress.add_task("tables", total=None)
            asyncio.run(
                fetch_tables(
                    folder,
                    api=api,
                    policy=policy,
                    on_progress=lambda name, done, total: progress.update(
                        task, description=name, completed=done, total=total
                    ),
                )
            )
        data = read_musicoset(folder)
        pairs = [
            (r.album.album_id, r.image_url) for r in data.with_addresses().limited(limit, seed) if r.image_url
        ]
        say((f"{len(data):,}", "bold"), f" albums in the tables, {len(pairs):,} covers to have.")
        if covers and pairs:
            with progress_bar(MofNCompleteColumn(), TimeRemainingColumn()) as progress:
                report = asyncio.run(
                    fetch_covers(
                        pairs,
                        folder / COVERS,
                        policy=policy,
                        ask_again=ask_again,
                        on_progress=counting(progress, "covers"),
                    )
                )
            _report_covers(report, folder)


@app.command()
def prepare(
    source: Annotated[Path, typer.Argument(help="Folder of tables or covers, or P4KxSpotify's CSV.")],
    folder: Annotated[Path, typer.Argument(help="Where the prepared data set goes.", file_okay=False)],
    kind: KindOption = SourceKind.AUTO,
    covers: CoversOption = None,
    limit: LimitOption = None,
    seed: SeedOption = 0,
) -> None:
    """Make one folder of resized covers, a manifest and a split, from any source."""
    with errors_as_sentences():
        data = read_source(source, kind, covers=covers).with_covers().limited(limit, seed)
        with progress_bar(MofNCompleteColumn(), TimeRemainingColumn()) as progress:
            prepared = prepare_folder(
                data,
                folder,
                on_progress=counting(progress, "resizing covers"),
            )
        parts = split_albums(prepared.records, seed)
        write_split(split_file(folder), parts)
        say((f"{len(prepared):,}", "bold"), f" albums in {folder}: {_sizes(part_sizes(parts))}.")
        print_problems(prepared.problems)


@app.command()
def split(
    source: Annotated[Path, typer.Argument(help="A prepared data set, or any source.")],
    file: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Where to write it.  [default: split.csv in the folder]", dir_okay=False
        ),
    ] = None,
    kind: KindOption = SourceKind.AUTO,
    covers: CoversOption = None,
    seed: SeedOption = 0,
) -> None:
    """Split albums 80/10/10 into train, validation and test, with no artist in two of them."""
    with errors_as_sentences():
        data = read_source(source, kind, covers=covers)
        parts = split_albums(data.records, seed)
        target = file or split_file(source)
        write_split(target, parts)
        say(f"{target}: {_sizes(part_sizes(parts))}, seed {seed}.")


@app.command()
def stats(
    source: Annotated[Path, typer.Argument(help="A prepared data set, or any source.")],
    kind: KindOption = SourceKind.AUTO,
    covers: CoversOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a data set holds: counts, genres, the spread of each attribute, and what was left out."""
    with errors_as_sentences():
        data = read_source(source, kind, covers=covers)
        figures = describe_dataset(data)
        if as_json:
            plain = asdict(figures) | {"genres": {str(k): v for k, v in figures.genres.items()}}
            out.print_json(json.dumps(plain))
            return
        _print_statistics(figures)
        print_problems(data.problems)


def _report_covers(report: ArtReport, folder: Path) -> None:
    missing = [*report.gone, *report.failed]
    say(
        (f"{report.saved + report.already:,}", "bold"),
        f" covers at hand ({report.saved:,} new), {len(report.gone):,} gone, {len(report.failed):,} failed.",
    )
    path = folder / MISSING_REPORT
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("album_id", "url", "outcome", "detail"))
        writer.writerows((entry.album_id, entry.url, entry.outcome, entry.detail) for entry in missing)
    if missing:
        note(f"  What is not there is listed in {path}.")


def _sizes(sizes: Mapping[Part, int]) -> str:
    return ", ".join(f"{count:,} {part}" for part, count in sizes.items())


def _print_statistics(figures: DatasetStatistics) -> None:
    years = f", {figures.years[0]} to {figures.years[1]}" if figures.years else ""
    say((f"{figures.albums:,}", "bold"), f" albums by {figures.artists:,} artists{years}")
    say(
        f"covers {figures.with_cover:,} · addresses {figures.with_address:,} · keys {figures.with_key:,} · "
        f"tempos {figures.with_tempo:,} · one track only {figures.single_track:,} · "
        f"left out {figures.problems:,}",
    )
    spreads = Table(box=None, pad_edge=False)
    spreads.add_column("attribute")
    for name in ("mean", "sd", "25 %", "median", "75 %"):
        spreads.add_column(name, justify="right")
    for name, spread in figures.attributes.items():
        digits = 1 if name == "tempo" else 3
        spreads.add_row(name, *(f"{value:.{digits}f}" for value in asdict(spread).values()))
    out.print(spreads)
    shown = list(figures.genres.items())[:_SHOWN_GENRES]
    words = ", ".join(f"{genre or 'unknown'} {count:,}" for genre, count in shown)
    say(f"genres ({len(figures.genres):,}): {words}")
