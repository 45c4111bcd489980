"""What every command shares: the console, errors as one sentence, settings from the options.

No text is parsed as Rich markup: titles, paths and messages may hold brackets.
"""

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
from rich.text import Text

from albumgen_core.cli.interrupt import EXIT_CANCELLED, say_cancelled
from albumgen_core.errors import AlbumGenError
from albumgen_core.settings import Settings, load_settings

EXIT_ERROR = 2
"""Exit code of a deliberate error: bad input, a wrong setting, a missing weight."""

out = Console(markup=False, highlight=False)
err = Console(stderr=True, markup=False, highlight=False)

Part = str | tuple[str, str]
"""Plain text, or (text, style)."""

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


def say(*parts: Part) -> None:
    """Print one line on stdout, however long."""
    out.print(Text.assemble(*parts), soft_wrap=True)


def note(*parts: Part) -> None:
    """Print one line on stderr, however long."""
    err.print(Text.assemble(*parts), soft_wrap=True)


def complain(error: object) -> None:
    """Print an error on stderr."""
    note(("Error:", "bold red"), f" {error}")


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Turn a deliberate error, or one of the file system, into one line on stderr and exit code 2.

    Ctrl-C becomes "Cancelled." and exit code 130.
    """
    try:
        yield
    except AlbumGenError as error:
        complain(error)
        raise typer.Exit(EXIT_ERROR) from error
    except OSError as error:
        if error.filename is None and error.strerror is None:
            raise
        complain(file_problem(error))
        raise typer.Exit(EXIT_ERROR) from error
    except KeyboardInterrupt:
        say_cancelled()
        raise typer.Exit(EXIT_CANCELLED) from None


def file_problem(error: OSError) -> str:
    """An error of the file system as one sentence that names the file."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}." if error.filename is not None else f"{reason}."


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
    """A progress display in AlbumGen's style, on stderr so that output can be piped."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        *columns,
        TimeElapsedColumn(),
        console=err,
    )
