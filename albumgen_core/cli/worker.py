"""`albumgen worker`: the process that owns the models, started by hand."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from albumgen_core.cli.console import ConfigOption
from albumgen_core.jobs.running import DEFAULT_RUNNER


def worker(
    config: ConfigOption = None,
    runner: Annotated[str, typer.Option(help="What runs the batches, as module:factory.")] = DEFAULT_RUNNER,
) -> None:
    """Run a worker that takes jobs as JSON lines on stdin and answers on stdout.

    The bot starts its own workers; by hand this serves to see an engine start, or to write another client.
    It ends when stdin does.
    """
    arguments = [sys.executable, "-m", "albumgen_core.worker.main", "--runner", runner]
    if config is not None:
        arguments += ["--config", str(config)]
    # The worker takes over the process: it guards its own stdout, and nothing here must come in between.
    os.execv(sys.executable, arguments)
