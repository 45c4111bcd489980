"""`albumgen`: the command line, assembled from one module a command."""

from __future__ import annotations

from typing import Annotated

import typer

from albumgen_core.cli import catalogue, dataset, doctor, evaluate, finetune, generate, index, weights, worker
from albumgen_core.cli.evaluate_attributes import attributes
from albumgen_core.cli.evaluate_audio import audio
from albumgen_core.cli.evaluate_words import words
from albumgen_core.version import __version__

app = typer.Typer(
    name="albumgen",
    help="Hear an album in its cover: a picture in, its musical attributes and a clip of music out.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(generate.generate)
app.command()(generate.describe)
app.command()(generate.compare)
app.add_typer(index.app, name="index")
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(dataset.app, name="dataset")
evaluate.app.command("attributes")(attributes)
evaluate.app.command("audio")(audio)
evaluate.app.command("words")(words)
app.add_typer(evaluate.app, name="evaluate")
app.command("finetune")(finetune.finetune)
app.command("doctor")(doctor.doctor)
app.add_typer(weights.app, name="weights")
app.command("worker")(worker.worker)


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
    app()


if __name__ == "__main__":
    main()
