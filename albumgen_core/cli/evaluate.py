"""`albumgen evaluate`: one module a measurement."""

from __future__ import annotations

import typer

from albumgen_core.cli.lazy import Command, lazy_group

COMMANDS = {
    "retrieval": Command(
        "albumgen_core.cli.evaluate_retrieval",
        "retrieval",
        "Do covers that look alike belong to albums that sound alike?",
    ),
    "attributes": Command(
        "albumgen_core.cli.evaluate_attributes",
        "attributes",
        "Read covers, with neighbours and without, and hold the answers against the truth.",
    ),
    "audio": Command(
        "albumgen_core.cli.evaluate_audio",
        "audio",
        "Compose clips and measure tempo, key, loudness, brightness and onsets against the requests.",
    ),
    "words": Command(
        "albumgen_core.cli.evaluate_words",
        "words",
        "Do the words on covers tell whose albums they are, and how those sound?",
    ),
}

app = typer.Typer(
    cls=lazy_group(COMMANDS),
    help="Measure what the engines are worth, beside baselines that need none.",
    no_args_is_help=True,
)


@app.callback()
def _evaluate() -> None:
    """Measure what the engines are worth, beside baselines that need none."""
