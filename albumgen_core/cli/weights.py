"""`albumgen weights`: fetch the neural engine's models, and see which are here."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import DownloadColumn, TaskID, TransferSpeedColumn
from rich.table import Table

from albumgen_core.cli.console import (
    EXIT_ERROR,
    ConfigOption,
    complain,
    errors_as_sentences,
    out,
    progress_bar,
    say,
    settings_for,
)
from albumgen_core.engines.neural.checkpoints.hub import PullProgress, locate, pull
from albumgen_core.engines.neural.checkpoints.specs import SPECS, Role
from albumgen_core.errors import EngineUnavailableError
from albumgen_core.settings import EngineSettings

app = typer.Typer(help="The neural engine's models: fetch them, list them.", no_args_is_help=True)

Which = Annotated[
    list[str] | None,
    typer.Argument(
        help="clip, internvl or musicgen.  [default: all three]", metavar="[MODEL]…", show_default=False
    ),
]


@app.command("pull")
def pull_weights(which: Which = None, config: ConfigOption = None) -> None:
    """Download models into the Hugging Face cache. An interrupted download goes on where it stopped."""
    with errors_as_sentences():
        engine = settings_for(config).engine
        for role in _roles(which):
            spec = SPECS[role]
            model, revision = source_of(engine, role)
            say((spec.title, "bold"), f"  {model} at {revision} ", (f"(licence: {spec.licence})", "dim"))
            with progress_bar(DownloadColumn(), TransferSpeedColumn()) as progress:
                task = progress.add_task(spec.title, total=None)

                def show(state: PullProgress, task: TaskID = task) -> None:
                    progress.update(
                        task,
                        description=state.file,
                        completed=state.done,
                        total=state.total,
                    )

                folder = pull(spec, model, revision, on_progress=show)
            say(f"  {folder}")


@app.command("list")
def list_weights(config: ConfigOption = None) -> None:
    """Say where each model's files are, or that they are missing."""
    with errors_as_sentences():
        engine = settings_for(config).engine
        table = Table("model", "source", "revision", "folder", "licence")
        problems = []
        for role, spec in SPECS.items():
            model, revision = source_of(engine, role)
            try:
                folder = str(locate(spec, model, revision))
            except EngineUnavailableError as error:
                folder = "missing"
                problems.append(str(error))
            table.add_row(role, model, revision, folder, spec.licence)
        out.print(table)
        for problem in problems:
            say(problem)


def source_of(engine: EngineSettings, role: Role) -> tuple[str, str]:
    """(model, revision) as configured for a role."""
    source = getattr(engine, role)
    return source.model, source.revision


def _roles(which: list[str] | None) -> list[Role]:
    for name in which or []:
        if name not in SPECS:
            complain(f"there is no model {name}; choose from {', '.join(SPECS)}.")
            raise typer.Exit(EXIT_ERROR)
    return [role for role in SPECS if not which or role in which]
