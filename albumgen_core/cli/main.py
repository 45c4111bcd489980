"""`albumgen`: the command line, assembled from one module a command."""

from __future__ import annotations

from typing import Annotated

import typer

from albumgen_core.cli.interrupt import EXIT_CANCELLED, end_soon_when_interrupted, say_cancelled
from albumgen_core.cli.lazy import Command, lazy_group
from albumgen_core.version import __version__

COMMANDS = {
    "generate": Command(
        "albumgen_core.cli.generate",
        "generate",
        "Hear covers: write an MP3, a card (PNG) and the attributes (JSON) for each.",
    ),
    "describe": Command(
        "albumgen_core.cli.describe",
        "describe",
        "Read the music in covers without composing it.",
    ),
    "compare": Command(
        "albumgen_core.cli.compare",
        "compare",
        "Hear one cover with and without RAG: two clips and one chart with both.",
    ),
    "index": Command(
        "albumgen_core.cli.index",
        "app",
        "The album index: known covers and what those albums sound like, for retrieval (RAG).",
    ),
    "catalogue": Command(
        "albumgen_core.cli.catalogue",
        "app",
        "The catalogue: artists and albums with measured attributes, found by the words on a cover.",
    ),
    "dataset": Command(
        "albumgen_core.cli.dataset",
        "app",
        "Data sets: MusicOSet from Zenodo, P4KxSpotify, or your own folder of covers.",
    ),
    "evaluate": Command(
        "albumgen_core.cli.evaluate",
        "app",
        "Measure what the engines are worth, beside baselines that need none.",
    ),
    "finetune": Command(
        "albumgen_core.cli.finetune",
        "finetune",
        "Train a LoRA adapter for InternVL's language model on a data set's covers and attributes.",
    ),
    "doctor": Command(
        "albumgen_core.cli.doctor",
        "doctor",
        "Check the installation, the settings, the weights and the album index; say what to do about each.",
    ),
    "weights": Command(
        "albumgen_core.cli.weights",
        "app",
        "The neural engine's models: fetch them, list them.",
    ),
    "worker": Command(
        "albumgen_core.cli.worker",
        "worker",
        "Run a worker that takes jobs as JSON lines on stdin and answers on stdout.",
    ),
}

app = typer.Typer(
    name="albumgen",
    cls=lazy_group(COMMANDS),
    help="Hear an album in its cover: a picture in, its musical attributes and a clip of music out.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"albumgen {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Hear an album in its cover."""


def main() -> None:
    """Entry point of the `albumgen` command."""
    end_soon_when_interrupted()
    try:
        app()
    except SystemExit as leaving:
        if leaving.code == EXIT_CANCELLED:  # interrupted before or after the command itself ran
            say_cancelled()
        raise


if __name__ == "__main__":
    main()
