"""Fine-tuning from end to end on a tiny checkpoint in OpenGVLab's layout."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from albumgen_core.engines.neural.internvl.answer import read_answer
from albumgen_core.engines.neural.internvl.checkpoint import open_checkpoint
from albumgen_core.engines.neural.internvl.describer import InternVLDescriber
from albumgen_core.errors import AttributeRangeError, TrainingError
from albumgen_core.training.callbacks import StepReport
from albumgen_core.training.curves import curves_of
from albumgen_core.training.finetune import FineTuned, Plan, fine_tune, read_curves
from albumgen_core.training.memory import GIB, count_parameters, estimate_memory
from albumgen_core.training.recipe import Recipe
from tests.albumgen_core.engines.neural.conftest import picture
from tests.albumgen_core.training.killed_run import RECIPE, examples
from tests.checkpoints.internvl import full_size_config

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def covers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("covers")


@pytest.fixture(scope="module")
def trained(tiny_internvl: Path, covers: Path, tmp_path_factory: pytest.TempPathFactory) -> FineTuned:
    folder = tmp_path_factory.mktemp("run") / "whole"
    return fine_tune(tiny_internvl, *examples(covers), folder, RECIPE, device="cpu")


def test_the_loss_falls_by_half(trained: FineTuned) -> None:
    losses = [loss for _, loss in trained.curves["train/loss"]]
    assert len(losses) == trained.steps == 15  # 22 // 4 batches, three times
    assert losses[-1] < losses[0] / 2
    checks = trained.curves["eval/loss"]
    assert [step for step, _ in checks] == [5, 10, 15]
    assert checks[-1][1] < checks[0][1]


def test_half_precision_trains_float32_adapters(
    tiny_internvl: Path, covers: Path, trained: FineTuned, tmp_path: Path
) -> None:
    """What a GPU does, here on the CPU: bf16 weights and arithmetic."""
    train, validation = examples(covers)
    brief = replace(RECIPE, epochs=1)
    half = fine_tune(tiny_internvl, train, validation, tmp_path, brief, device="cpu", dtype="bfloat16")
    first, last = (half.curves["train/loss"][i][1] for i in (0, -1))
    assert first == pytest.approx(trained.curves["train/loss"][0][1], rel=0.02)
    assert last < first * 0.8
    weights = load_file(half.adapter / "adapter_model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}


def test_the_rate_warms_up_and_falls_along_a_cosine(trained: FineTuned) -> None:
    rates = [rate for _, rate in trained.curves["train/learning_rate"]]
    assert rates[0] == 0
    assert rates[1] == pytest.approx(0.02)
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[8] == pytest.approx(0.01)  # half way down after 7 of 14 steps


def test_a_killed_run_goes_on_with_the_same_curve(
    tiny_internvl: Path, covers: Path, trained: FineTuned, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    module = "tests.albumgen_core.training.killed_run"
    command = [sys.executable, "-m", module, str(tiny_internvl), str(covers), str(out), "8"]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    # A second kill, in the middle of writing a checkpoint: it must not be taken for a whole one.
    torn = out / "checkpoints" / "checkpoint-7"
    torn.mkdir()
    (torn / "trainer_state.json").write_text('{"global_st')
    plans: list[Plan] = []
    resumed = fine_tune(tiny_internvl, *examples(covers), out, RECIPE, device="cpu", on_plan=plans.append)
    assert resumed.resumed_from == plans[0].resume_from == 5
    assert resumed.curves == trained.curves
    assert resumed.curves == read_curves(out)
    first = (trained.adapter / "adapter_model.safetensors").read_bytes()
    assert (resumed.adapter / "adapter_model.safetensors").read_bytes() == first
    assert tensorboard(out) == {
        tag: [(step, pytest.approx(value)) for step, value in pairs] for tag, pairs in trained.curves.items()
    }


def test_the_adapter_changes_the_answer(tiny_internvl: Path, trained: FineTuned) -> None:
    before = InternVLDescriber(tiny_internvl, device="cpu", dtype="float32")
    after = InternVLDescriber(tiny_internvl, device="cpu", dtype="float32", adapter=str(trained.adapter))
    cover = picture(3)
    assert before.describe(cover, None) != after.describe(cover, None)
    # Every album it saw measured .25: it has learned to say so.
    assert after.describe(cover, None).energy == pytest.approx(0.25, abs=0.1)
    noise = before.answer_freely(cover, None)
    assert noise != after.answer_freely(cover, None)
    with pytest.raises(AttributeRangeError):
        read_answer(noise)


def test_the_picture_is_drawn(trained: FineTuned) -> None:
    assert min(Image.open(trained.picture).size) > 300


def test_another_run_s_folder_is_refused(tiny_internvl: Path, covers: Path, trained: FineTuned) -> None:
    folder = trained.adapter.parent
    train, validation = examples(covers)
    with pytest.raises(TrainingError, match="holds a run with another recipe; choose another folder"):
        fine_tune(tiny_internvl, train, validation, folder, replace(RECIPE, rank=2), device="cpu")
    with pytest.raises(TrainingError, match="another examples"):
        fine_tune(tiny_internvl, train[1:], validation, folder, RECIPE, device="cpu")


def test_too_few_examples_are_refused(tiny_internvl: Path, covers: Path, tmp_path: Path) -> None:
    train, _ = examples(covers)
    with pytest.raises(TrainingError, match="3 examples do not fill one batch of 4"):
        fine_tune(tiny_internvl, train[:3], [], tmp_path, RECIPE, device="cpu")


def test_it_stops_when_validation_stops_getting_better(
    tiny_internvl: Path, covers: Path, tmp_path: Path
) -> None:
    """A rate so high that it gets worse: the adapter that is kept is the best, not the last."""
    train, validation = examples(covers)
    reports: list[StepReport] = []
    wild = replace(RECIPE, learning_rate=3.0, check_every=1, patience=2, epochs=20)
    result = fine_tune(
        tiny_internvl, train[:8], validation[:2], tmp_path, wild, device="cpu", on_step=reports.append
    )
    checks = [report.validation for report in reports if report.validation is not None]
    assert result.steps < result.planned == 40
    best = checks.index(min(checks))
    assert len(checks) == best + 1 + 2
    again = fine_tune(tiny_internvl, train[:8], validation[:2], tmp_path, wild, device="cpu")
    assert again.steps == result.steps  # stopped is stopped
    kept = (tmp_path / "checkpoints" / f"checkpoint-{best + 1}" / "adapter_model.safetensors").read_bytes()
    assert (result.adapter / "adapter_model.safetensors").read_bytes() == kept


def test_the_recipe_has_the_slides_figures() -> None:
    recipe = Recipe()
    assert recipe.steps(1102) == 68
    assert (recipe.rank, recipe.batch, recipe.accumulation, recipe.epochs) == (4, 16, 16, 1)
    with pytest.raises(ValueError, match="micro-batches of 5"):
        Recipe(micro_batch=5)


def test_the_estimate_for_the_full_size(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(full_size_config()))
    config = open_checkpoint(tmp_path).config
    config.tie_word_embeddings = False
    weights, trainable = count_parameters(config, 4)
    assert (weights, trainable) == (938_158_976, 2_199_552)
    sizes = {"rank": 4, "answer": 150, "micro_batch": 1, "width": 2}
    usual = estimate_memory(config, tokens=1300, tiles=1, **sizes)
    assert 2 * GIB < usual.total < 4 * GIB
    assert usual.fits(8 * GIB)
    assert not usual.fits(2 * GIB)
    larger = estimate_memory(config, tokens=3000, tiles=7, **{**sizes, "micro_batch": 8})
    assert larger.total > 2 * usual.total


def test_curves_of_an_empty_log_are_empty() -> None:
    assert curves_of([{"step": 3, "train_runtime": 1.0}]) == {}


def tensorboard(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


def test_a_finished_run_is_found_finished(tiny_internvl: Path, covers: Path, trained: FineTuned) -> None:
    """The same command once more: nothing is trained again, nothing is lost."""
    reports: list[StepReport] = []
    folder = trained.adapter.parent
    before = (trained.adapter / "adapter_model.safetensors").read_bytes()
    again = fine_tune(tiny_internvl, *examples(covers), folder, RECIPE, device="cpu", on_step=reports.append)
    assert reports == []
    assert again.curves == trained.curves
    assert (again.steps, again.resumed_from) == (15, 15)
    assert (again.adapter / "adapter_model.safetensors").read_bytes() == before
