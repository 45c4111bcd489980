"""`albumgen index`: build the album index, ask it, and see what it holds."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, TaskID, TimeRemainingColumn
from rich.table import Table

from albumgen_core.albums import Neighbour
from albumgen_core.cli.console import (
    ConfigOption,
    EngineOption,
    errors_as_sentences,
    note,
    out,
    progress_bar,
    say,
    settings_for,
)
from albumgen_core.cli.read import read_cover_file
from albumgen_core.dataset.records import Problem
from albumgen_core.dataset.sources import read_source
from albumgen_core.engines.base import Embedder
from albumgen_core.engines.load import load_embedder
from albumgen_core.retrieval import AlbumIndex, BuildReport, IndexStats, build_index
from albumgen_core.settings import Settings

app = typer.Typer(
    help="The album index: known covers and what those albums sound like, for retrieval (RAG).",
    no_args_is_help=True,
)

IndexOption = Annotated[
    Path | None,
    typer.Option(
        "--index", help="Folder of the index.  [default: index.path of the configuration]", file_okay=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_SHOWN_PROBLEMS = 10


@app.command()
def build(
    source: Annotated[
        Path,
        typer.Argument(
            help="Folder of covers with a manifest.csv, or of MusicOSet's tables.", file_okay=False
        ),
    ],
    table: Annotated[
        Path | None,
        typer.Option(
            "--csv", help="The CSV, where it is not manifest.csv, albums.csv or metadata.csv in the folder."
        ),
    ] = None,
    covers: Annotated[
        Path | None,
        typer.Option(
            "--covers",
            help="SOURCE holds MusicOSet's tables; this folder holds <album_id>.jpg.",
            file_okay=False,
        ),
    ] = None,
    index: IndexOption = None,
    engine: EngineOption = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take only so many albums, drawn at random.", show_default=False)
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, max=1024, help="Covers embedded and stored at a time.")
    ] = 32,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--anew", help="Leave alone what is stored and unchanged, or embed everything again."
        ),
    ] = True,
    config: ConfigOption = None,
) -> None:
    """Embed covers into the index. Stop it at any time: the same command goes on where it was.

    The CSV needs the columns file, artist, album, acousticness, danceability, energy, instrumentalness,
    liveness, loudness (dB or 0 to 1), speechiness and valence; it may have genre, year, tempo, key, mode,
    time_signature, tracks and album_id.
    """
    with errors_as_sentences():
        settings = settings_for(config, engine=engine)
        data = read_source(source, table=table, covers=covers).with_covers().limited(limit)
        embedder = embedder_of(settings)
        with progress_bar(MofNCompleteColumn(), TimeRemainingColumn()) as progress:
            report = build_index(
                data,
                embedder,
                index if index is not None else settings.index_dir,
                on_progress=counting(progress, "embedding covers"),
                batch_size=batch_size,
                resume=resume,
            )
        _print_report(report, embedder.name)


@app.command()
def query(
    covers: Annotated[list[Path], typer.Argument(help="Pictures: PNG, JPEG, WebP or GIF.", metavar="COVER…")],
    k: Annotated[
        int | None, typer.Option("-k", min=1, max=1000, help="How many albums.  [default: index.k]")
    ] = None,
    index: IndexOption = None,
    engine: EngineOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the albums whose covers are nearest to a picture."""
    with errors_as_sentences():
        settings = settings_for(config, engine=engine)
        pictures = [read_cover_file(path) for path in covers]
        embedder = embedder_of(settings)
        directory = index if index is not None else settings.index_dir
        with AlbumIndex.open(directory, embedder_name=embedder.name) as albums:
            vectors = embedder.embed(pictures)
            answers = [albums.nearest(vector, k or settings.index.k) for vector in vectors]
        if as_json:
            out.print_json(json.dumps([_as_json(p, a) for p, a in zip(covers, answers, strict=True)]))
            return
        for path, neighbours in zip(covers, answers, strict=True):
            out.print(_neighbour_table(path, neighbours))


@app.command()
def stats(
    index: IndexOption = None,
    engine: EngineOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what the index holds, and how well its search does."""
    with errors_as_sentences():
        settings = settings_for(config, engine=engine)
        directory = index if index is not None else settings.index_dir
        with AlbumIndex.open(directory, embedder_name=embedder_of(settings).name) as albums:
            figures = albums.stats()
        if as_json:
            plain = {
                k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(figures).items()
            }
            out.print_json(json.dumps(plain | {"directory": str(figures.directory)}))
        else:
            out.print(_stats_table(figures))


def embedder_of(settings: Settings) -> Embedder:
    """The configured embedder; where another stands in, stderr says so."""
    embedder, notice = load_embedder(settings.engine)
    if notice:
        note((notice, "yellow"))
    return embedder


def _print_report(report: BuildReport, embedder: str) -> None:
    say(
        (f"{report.indexed:,}", "bold"),
        f" albums in the index ({embedder}): {report.added:,} added, "
        f"{report.unchanged:,} unchanged, {len(report.problems):,} left out, in {report.seconds:.1f} s.",
    )
    print_problems(report.problems)


def counting(progress: Progress, words: str) -> Callable[[int, int], None]:
    """A (done, total) callback that shows its bar from the first call on: early errors stand alone."""
    tasks: list[TaskID] = []

    def update(done: int, total: int) -> None:
        if not tasks:
            tasks.append(progress.add_task(words, total=total))
        progress.update(tasks[0], completed=done, total=total)

    return update


def print_problems(problems: Sequence[Problem]) -> None:
    """The first few problems on stderr, and how many more there are."""
    for problem in problems[:_SHOWN_PROBLEMS]:
        note(f"  left out  {problem}")
    if len(problems) > _SHOWN_PROBLEMS:
        note(f"  … and {len(problems) - _SHOWN_PROBLEMS:,} more")


def _neighbour_table(path: Path, neighbours: Sequence[Neighbour]) -> Table:
    table = Table(title=str(path), title_justify="left", box=None, pad_edge=False)
    table.add_column("distance", justify="right")
    for name in ("album", "artist", "year", "genre"):
        table.add_column(name, overflow="fold")
    for name in ("energy", "valence", "BPM"):
        table.add_column(name, justify="right")
    for neighbour in neighbours:
        album, measured = neighbour.album, neighbour.attributes
        cells = (album.title, album.artist, str(album.year or ""), measured.raw_genre or "")
        table.add_row(
            "" if neighbour.distance is None else f"{neighbour.distance:.3f}",
            *(cell for cell in cells),
            f"{measured.energy:.2f}",
            f"{measured.valence:.2f}",
            "" if measured.tempo is None else f"{measured.tempo:.0f}",
        )
    return table


def _as_json(path: Path, neighbours: Sequence[Neighbour]) -> dict[str, object]:
    return {
        "cover": str(path),
        "neighbours": [
            {
                "album_id": n.album.album_id,
                "title": n.album.title,
                "artist": n.album.artist,
                "year": n.album.year,
                "distance": n.distance,
                "attributes": n.attributes.to_dict(),
            }
            for n in neighbours
        ],
    }


def _stats_table(figures: IndexStats) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in (
        ("folder", str(figures.directory)),
        ("embedder", figures.embedder),
        ("albums", f"{figures.albums:,} by {figures.artists:,} artists"),
        ("genre known", f"{figures.with_genre:,}"),
        ("key known", f"{figures.with_key:,}"),
        ("on disk", f"{figures.disk_bytes / 1e6:.1f} MB"),
        ("nearest other cover", f"{figures.nearest_distance:.3f} (median L2 distance)"),
        ("recall", f"{figures.recall:.1%} of the true 5 nearest found by Chroma alone"),
    ):
        table.add_row(name, value)
    return table
