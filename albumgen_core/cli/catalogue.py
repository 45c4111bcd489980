"""`albumgen catalogue`: artists and albums that the words on a cover are looked up in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from albumgen_core.cli.console import ConfigOption, errors_as_sentences, out, say, settings_for
from albumgen_core.cli.dataset import KindOption
from albumgen_core.cli.index import JsonOption, print_problems
from albumgen_core.cli.read import read_cover_file
from albumgen_core.dataset.sources import SourceKind
from albumgen_core.retrieval.catalogue.build import build_catalogue, read_albums
from albumgen_core.retrieval.catalogue.store import CatalogueStore
from albumgen_core.retrieval.text.lines import TextLine
from albumgen_core.retrieval.text.matching import Match, read_lines
from albumgen_core.retrieval.words import WordsPredictor

app = typer.Typer(
    help="The catalogue: artists and albums with measured attributes, found by the words on a cover.",
    no_args_is_help=True,
)

CatalogueOption = Annotated[
    Path | None,
    typer.Option(
        "--catalogue",
        help="The catalogue's file.  [default: catalogue.path of the configuration]",
        dir_okay=False,
    ),
]
_SHOWN = 5


@app.command()
def build(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of MusicOSet's tables, P4KxSpotify's CSV, CSVs of your own, or prepared data sets.",
            metavar="SOURCE…",
        ),
    ],
    kind: KindOption = SourceKind.AUTO,
    catalogue: CatalogueOption = None,
    config: ConfigOption = None,
) -> None:
    """Put the albums of one or more sources into the catalogue, anew; pictures are not needed.

    A CSV needs the columns artist, album, acousticness, danceability, energy, instrumentalness, liveness,
    loudness (dB or 0 to 1), speechiness and valence; it may have genre, year, tempo, key, mode,
    time_signature, tracks and album_id. An album that is in several sources is taken from the one that
    measured more of its tracks.
    """
    with errors_as_sentences():
        path = catalogue or settings_for(config).catalogue_path
        report = build_catalogue(path, [read_albums(source, kind) for source in sources])
        say(
            (f"{report.albums:,}", "bold"),
            f" albums by {report.artists:,} artists in {path}; "
            f"{report.merged:,} rows were the same album as another, {len(report.problems):,} left out.",
        )
        print_problems(report.problems)


@app.command()
def query(
    words: Annotated[
        list[str] | None, typer.Argument(help="Words as a cover might show them, one argument a line.")
    ] = None,
    cover: Annotated[
        Path | None, typer.Option("--cover", help="Read the words from this picture instead.", dir_okay=False)
    ] = None,
    catalogue: CatalogueOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Whom do these words name? Candidates with their probabilities, and what is read from a cover."""
    with errors_as_sentences():
        if bool(words) == (cover is not None):
            raise typer.BadParameter("give words, or a picture with --cover")
        path = catalogue or settings_for(config).catalogue_path
        with CatalogueStore(path) as store:
            lines = _typed(words) if words else _read(cover)
            matches = WordsPredictor.shipped().match(store.catalogue, read_lines(store.catalogue, lines))
            rows = [_row(store, match) for match in matches[:_SHOWN]]
        if as_json:
            out.print_json(json.dumps({"lines": [line.to_dict() for line in lines], "matches": rows}))
            return
        say("Reads: " + (" · ".join(line.text for line in lines) or "nothing"))
        table = Table(box=None, pad_edge=False)
        for name in ("artist", "probability", "album", "probability"):
            table.add_column(name, justify="right" if name == "probability" else "left", overflow="fold")
        for row in rows:
            title = str(row["album"] or "")
            sure = f"{row['album_probability']:.2f}" if row["album"] else ""
            table.add_row(str(row["artist"]), f"{row['probability']:.2f}", title, sure)
        out.print(table)


@app.command()
def stats(
    catalogue: CatalogueOption = None, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """What the catalogue holds."""
    with errors_as_sentences():
        path = catalogue or settings_for(config).catalogue_path
        with CatalogueStore(path) as store:
            held = store.catalogue
            figures = {
                "albums": held.albums,
                "artists": len(held.artists),
                "names": len(held.names),
                "titles": len(held.titles),
                "with_genre": int((held.album_genre >= 0).sum()),
                "megabytes": round(path.stat().st_size / 1e6, 1),
                "sources": store.sources,
            }
        if as_json:
            out.print_json(json.dumps(figures | {"file": str(path)}))
            return
        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column(style="dim")
        table.add_column()
        for name, value in (
            ("file", str(path)),
            ("albums", f"{held.albums:,} by {len(held.artists):,} artists"),
            ("titles looked up", f"{len(held.titles):,}"),
            ("genre known", f"{figures['with_genre']:,}"),
            ("on disk", f"{figures['megabytes']} MB"),
            *((source, f"{count:,} albums") for source, count in store.sources.items()),
        ):
            table.add_row(name, value)
        out.print(table)


def _typed(words: list[str]) -> list[TextLine]:
    """Lines below each other, all of one size."""
    step = 1.0 / len(words)
    height = min(0.1, step / 2)
    return [
        TextLine(text, 1.0, ((0.1, y), (0.9, y), (0.9, y + height), (0.1, y + height)), height)
        for row, text in enumerate(words)
        if (y := row * step) is not None
    ]


def _read(cover: Path | None) -> list[TextLine]:
    from albumgen_core.retrieval.text.reader import CoverReader

    assert cover is not None
    return CoverReader().read(read_cover_file(cover))


def _row(store: CatalogueStore, match: Match) -> dict[str, str | float | None]:
    title = store.album(match.album).title if match.album >= 0 else None
    return {
        "artist": store.catalogue.artists[match.artist],
        "probability": round(match.probability, 4),
        "album": title,
        "album_probability": round(match.album_probability, 4),
    }
