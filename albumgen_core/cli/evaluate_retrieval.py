"""`albumgen evaluate`: what the engines are worth, beside baselines that need none."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import MofNCompleteColumn

from albumgen_core.cli.console import (
    ConfigOption,
    EngineOption,
    errors_as_sentences,
    progress_bar,
    say,
    settings_for,
)
from albumgen_core.cli.dataset import CoversOption, KindOption, LimitOption
from albumgen_core.cli.index import counting, embedder_of, print_problems
from albumgen_core.dataset.sources import SourceKind, read_source
from albumgen_core.engines.base import Embedder
from albumgen_core.errors import DatasetError
from albumgen_core.evaluation.retrieval import evaluate_retrieval
from albumgen_core.evaluation.retrieval_report import verdict, write_report
from albumgen_core.retrieval.embedding import embed_records
from albumgen_core.retrieval.fitting import fit_predictor
from albumgen_core.retrieval.genre_prior import GenrePrior
from albumgen_core.retrieval.zero_shot import ZeroShotGenres

_LEAST = 30


def retrieval(
    source: Annotated[
        Path, typer.Argument(help="A prepared data set, a folder of covers with its CSV, or tables.")
    ],
    folder: Annotated[
        Path, typer.Option("--out", "-o", help="Where the report goes.", file_okay=False)
    ] = Path("evaluation/retrieval"),
    kind: KindOption = SourceKind.AUTO,
    covers: CoversOption = None,
    engine: EngineOption = None,
    splits: Annotated[int, typer.Option(min=2, max=1000, help="Random splits to average over.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first split.")] = 0,
    limit: LimitOption = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save-calibration", help="Also calibrate a predictor and write it here.", dir_okay=False
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Do covers that look alike belong to albums that sound alike?

    Error of the k nearest albums' mean for k from 1 to 19 and beyond, for all eight attributes, beside the
    mean, the median, the genre's mean, albums at random and the calibrated predictor; over random splits
    with no artist on two sides. Writes one page of HTML, JSON and two plots.
    """
    with errors_as_sentences():
        settings = settings_for(config, engine=engine)
        data = read_source(source, kind, covers=covers).with_covers().limited(limit, seed)
        embedder = embedder_of(settings)
        with progress_bar(MofNCompleteColumn()) as progress:
            embedded = embed_records(
                data.records, embedder, on_progress=counting(progress, "embedding covers")
            )
            if len(embedded.records) < _LEAST:
                raise DatasetError(
                    f"{data.name} has {len(embedded.records)} readable covers; {_LEAST} are the least."
                )
            prior = GenrePrior.shipped()
            zero_shot = _zero_shot(embedder, prior)
            evaluation = evaluate_retrieval(
                embedded.records,
                embedded.vectors,
                embedder=embedder.name,
                splits=splits,
                seed=seed,
                zero_shot=zero_shot,
                genre_prior=prior,
                on_progress=counting(progress, "evaluating splits"),
            )
        command = shlex.join(["albumgen", *sys.argv[1:]])
        paths = write_report(evaluation, folder, command)
        for sentence in verdict(evaluation):
            say(sentence)
        say((f"Report: {paths[-1]}", "dim"))
        if save is not None:
            predictor = fit_predictor(
                embedded.records,
                embedded.vectors,
                embedder=embedder.name,
                seed=seed,
                zero_shot=zero_shot,
                genre_prior=prior,
            )
            predictor.save(save)
            say((f"Calibration: {save}", "dim"))
        print_problems([*data.problems, *embedded.problems])


def _zero_shot(embedder: Embedder, prior: GenrePrior) -> ZeroShotGenres | None:
    """Genres by name, where the embedder can embed sentences too."""
    embed_texts: Any = getattr(embedder, "embed_texts", None)
    if embed_texts is None:
        return None
    return ZeroShotGenres(embed_texts, prior.genres, base_rates=np.array(prior.counts, dtype=np.float64))
