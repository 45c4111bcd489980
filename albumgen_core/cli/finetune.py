"""`albumgen finetune`: teach InternVL to hear covers, with LoRA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import MofNCompleteColumn, TaskID, TimeRemainingColumn

from albumgen_core.cli.console import ConfigOption, errors_as_sentences, note, progress_bar, say, settings_for
from albumgen_core.cli.dataset import CoversOption, KindOption, LimitOption
from albumgen_core.cli.index import counting, print_problems
from albumgen_core.dataset.sources import SourceKind, read_source
from albumgen_core.engines.neural.checkpoints.hub import SPECS, locate
from albumgen_core.errors import AlbumGenError
from albumgen_core.training.prepare import part_of, prepare_examples
from albumgen_core.training.recipe import Contexts, Recipe

if TYPE_CHECKING:
    from albumgen_core.training.finetune import FineTuned, Plan

DEFAULTS = Recipe()
GIB = 2**30


def finetune(
    source: Annotated[Path, typer.Argument(help="A prepared data set, or any source with covers.")],
    folder: Annotated[
        Path, typer.Option("--out", "-o", help="Where the adapter and the curves go.", file_okay=False)
    ] = Path("finetuned"),
    kind: KindOption = SourceKind.AUTO,
    covers: CoversOption = None,
    limit: LimitOption = None,
    contexts: Annotated[
        str, typer.Option(help="Questions with neighbours: mixed (half), both (each twice), rag, or plain.")
    ] = DEFAULTS.contexts,
    neighbours: Annotated[
        int, typer.Option(min=1, max=20, help="Albums in a context.")
    ] = DEFAULTS.neighbours,
    rank: Annotated[int, typer.Option(min=1, max=256, help="Rank of the LoRA matrices.")] = DEFAULTS.rank,
    learning_rate: Annotated[float, typer.Option(min=1e-8, max=1.0)] = DEFAULTS.learning_rate,
    batch: Annotated[int, typer.Option(min=1, help="Examples a step.")] = DEFAULTS.batch,
    micro_batch: Annotated[
        int, typer.Option(min=1, help="Examples on the device at a time; divides --batch.")
    ] = DEFAULTS.micro_batch,
    epochs: Annotated[int, typer.Option(min=1)] = DEFAULTS.epochs,
    max_tiles: Annotated[
        int, typer.Option(min=1, max=12, help="Tiles a cover is cut into at most.")
    ] = DEFAULTS.max_tiles,
    check_every: Annotated[
        int, typer.Option(min=1, help="Steps between checkpoints, each with a validation.")
    ] = DEFAULTS.check_every,
    patience: Annotated[
        int, typer.Option(min=0, help="Validations without a better loss before it stops; 0 never stops.")
    ] = DEFAULTS.patience,
    seed: Annotated[int, typer.Option(min=0)] = DEFAULTS.seed,
    device: Annotated[str | None, typer.Option(help="cuda, cuda:1, cpu.  [default: engine.device]")] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Delete an earlier run in the folder instead of going on with it.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and the memory estimate, and stop.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Train a LoRA adapter for InternVL's language model on a data set's covers and attributes.

    Stop it at any time: the same command goes on from the last checkpoint, with the same curve. The albums of
    the test part are left for `albumgen evaluate attributes`.
    """
    with errors_as_sentences():
        _check_packages()
        given = {name: value for name, value in locals().items() if name in {f.name for f in fields(Recipe)}}
        recipe = _recipe(given)
        settings = settings_for(config)
        model = locate(SPECS["internvl"], settings.engine.internvl.model, settings.engine.internvl.revision)
        dataset = read_source(source, kind, covers=covers).with_covers().limited(limit, seed)
        from albumgen_core.engines.neural.load import load_embedder

        embedder = None if contexts == "plain" else load_embedder(settings.engine)
        from albumgen_core.training.finetune import fine_tune

        with progress_bar(MofNCompleteColumn(), TimeRemainingColumn()) as progress:
            data = prepare_examples(
                dataset,
                part_of(dataset, source, seed),
                recipe,
                embedder,
                on_progress=counting(progress, "reading covers"),
            )
            print_problems([*dataset.problems, *data.problems])
            task: list[TaskID] = []

            def show(report: Any) -> None:
                if not task:
                    task.append(progress.add_task("training", total=report.steps))
                words = "training" if report.loss is None else f"training, loss {report.loss:.3f}"
                progress.update(task[0], completed=report.step, description=words)

            result = fine_tune(
                model,
                data.train,
                data.validation,
                folder,
                recipe,
                device=device or settings.engine.device,
                anew=anew,
                on_plan=_announce(dry_run),
                on_step=show,
            )
        _print_result(result)


def _recipe(given: dict[str, Any]) -> Recipe:
    kinds = Contexts.__args__  # type: ignore[attr-defined]
    if given["contexts"] not in kinds:
        raise typer.BadParameter(f"choose one of {', '.join(kinds)}", param_hint="--contexts")
    try:
        return Recipe(**given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--micro-batch") from error


def _check_packages() -> None:
    for package in ("accelerate", "tensorboard", "matplotlib"):
        if find_spec(package) is None:
            raise AlbumGenError(f"Fine-tuning needs the package {package}; run `pip install {package}`.")


def _announce(dry_run: bool) -> Callable[[Plan], None]:
    def announce(plan: Plan) -> None:
        _print_plan(plan)
        if dry_run:
            raise typer.Exit

    return announce


def _print_plan(plan: Plan) -> None:
    note(
        (f"{plan.examples:,}", "bold"),
        f" examples ({plan.with_neighbours:,} with neighbours), "
        f"{plan.validation:,} for validation, {plan.steps:,} steps; "
        f"{plan.memory.trainable:,} of {plan.memory.parameters:,} parameters; "
        f"longest example {plan.tokens:,} tokens.",
    )
    if plan.resume_from:
        note(f"Going on from step {plan.resume_from}.")
    for name, size in plan.memory.parts.items():
        note(f"  {name:28}{size / GIB:7.2f} GiB")
    estimate = (f"  {'estimated on ' + str(plan.device):28}{plan.memory.total / GIB:7.2f} GiB", "bold")
    if plan.available is None:
        note(estimate)
        return
    warning = (
        ""
        if plan.memory.fits(plan.available)
        else " It may not fit: lower --micro-batch, --max-tiles or --neighbours."
    )
    note(estimate, f" of {plan.available / GIB:.1f}", (warning, "yellow"))


def _print_result(result: FineTuned) -> None:
    early = "" if result.steps == result.planned else f" of {result.planned}, stopped by validation"
    first, last = result.curves["train/loss"][0][1], result.curves["train/loss"][-1][1]
    say((f"{result.steps}", "bold"), f" steps{early}: loss {first:.3f} → {last:.3f}.")
    say(f"Curves: {result.picture}")
    say(f'To use it, set adapter = "{result.adapter}" under [engine.internvl].')
