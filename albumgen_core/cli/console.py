"""What every command shares: the console, errors as one sentence, settings from the options."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from albumgen_core.errors import AlbumGenError
from albumgen_core.settings import Settings, load_settings

EXIT_ERROR = 2
"""Exit code of a deliberate error: bad input, a wrong setting, a missing weight."""

out = Console()
err = Console(stderr=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Configuration file.  [default: ./config.toml when it is there]",
        dir_okay=False,
    ),
]
EngineOption = Annotated[
    str | None,
    typer.Option("--engine", "-e", help="neural or sketch.  [default: engine.family of the configuration]"),
]


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Turn a deliberate error into one line on stderr and exit code 2."""
    try:
        yield
    except AlbumGenError as error:
        err.print(f"[bold red]Error:[/] {_escaped(str(error))}", soft_wrap=True, highlight=False)
        raise typer.Exit(EXIT_ERROR) from error


def settings_for(config: Path | None, *, engine: str | None = None) -> Settings:
    """The configuration in force, with the command line's engine on top. Raises ConfigError."""
    settings = load_settings(config)
    logging.basicConfig(
        level=settings.log_level if settings.log_level != "INFO" else "WARNING",
        format="%(message)s",
        handlers=[RichHandler(console=err, show_path=False)],
    )
    if engine is None:
        return settings
    if engine not in ("neural", "sketch"):
        raise typer.BadParameter("choose neural or sketch", param_hint="--engine")
    return settings.model_copy(update={"engine": settings.engine.model_copy(update={"family": engine})})


def progress_bar(*columns: Any) -> Progress:
    """A progress display in the house's style, on stderr so that output can be piped."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        *columns,
        TimeElapsedColumn(),
        console=err,
    )


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
