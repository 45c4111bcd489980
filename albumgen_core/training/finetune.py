"""LoRA on InternVL's language model, through peft and transformers' Trainer."""

from __future__ import annotations

import copy
import json
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig, get_peft_model
from torch.utils.data import Sampler
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainingArguments, set_seed

from albumgen_core.engines.neural.checkpoints.hub import display_name
from albumgen_core.engines.neural.checkpoints.tensors import choose_device
from albumgen_core.engines.neural.internvl.adapter import LORA_TARGETS
from albumgen_core.engines.neural.internvl.chat import Chat
from albumgen_core.engines.neural.internvl.checkpoint import Checkpoint, load_model, open_checkpoint
from albumgen_core.engines.neural.internvl.describer import picture_statistics
from albumgen_core.errors import TrainingError
from albumgen_core.training.callbacks import OnStep, Watch, ignore_steps
from albumgen_core.training.curves import curves_of, write_curves
from albumgen_core.training.encoding import Collator, Examples
from albumgen_core.training.examples import Example
from albumgen_core.training.memory import MemoryEstimate, estimate_memory
from albumgen_core.training.recipe import Recipe
from albumgen_core.training.run_folder import RunFolder, fingerprint

_TRAINER: Any = Trainer
Dtype = Literal["auto", "bfloat16", "float32"]


@dataclass(frozen=True, slots=True)
class FineTuned:
    """What came of it.

    Attributes:
        adapter: folder of the adapter.
        steps: steps taken, resumed ones included; fewer than planned when validation stopped it early.
        planned: steps of the whole recipe.
        trainable: parameters that were trained.
        curves: (step, value) pairs by TensorBoard tag.
        resumed_from: the step it went on from, or 0.
        picture: the curves as PNG.
    """

    adapter: Path
    steps: int
    planned: int
    trainable: int
    curves: dict[str, list[tuple[int, float]]]
    resumed_from: int
    picture: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """What is about to happen, for people to read before it does.

    Attributes:
        examples, with_neighbours, validation: numbers of examples.
        steps: steps of the whole recipe.
        tokens: of the longest example.
        memory: the estimate for the device.
        device: where it will run.
        available: bytes of the device's memory, or None on a CPU.
        resume_from: the step it will go on from, or 0.
    """

    examples: int
    with_neighbours: int
    validation: int
    steps: int
    tokens: int
    memory: MemoryEstimate
    device: torch.device
    available: int | None
    resume_from: int


def fine_tune(
    model: Path,
    train: Sequence[Example],
    validation: Sequence[Example],
    folder: Path,
    recipe: Recipe,
    *,
    device: str = "auto",
    dtype: Dtype = "auto",
    anew: bool = False,
    on_plan: Callable[[Plan], None] = lambda _plan: None,
    on_step: OnStep = ignore_steps,
) -> FineTuned:
    """Train an adapter and leave it in `folder`; a run that was killed goes on from its last checkpoint.

    A run that came to its end there already is returned as it is.

    Args:
        model: a checkpoint of InternVL in OpenGVLab's or transformers' layout.
        train: examples to learn.
        validation: examples to stop by, and to choose the best checkpoint with; [] for neither.
        folder: see `run_folder`.
        recipe: the figures.
        device: "auto" is the first GPU when there is one.
        dtype: of the frozen weights and the arithmetic; "auto" is bfloat16 on a GPU, float32 on a CPU. The
            adapter is float32 in any case.
        anew: delete an earlier run in `folder`.
        on_plan: told once, before any weight is loaded or any file written; it may raise to stop.
        on_step: told after every step and every validation.

    Raises TrainingError when there are fewer examples than a batch, the folder holds another run, the loss
    is no number or the device's memory runs out; EngineUnavailableError when the checkpoint is unusable.
    """
    steps = recipe.steps(len(train))
    if steps < 1:
        raise TrainingError(f"{len(train)} examples do not fill one batch of {recipe.batch}; lower --batch.")
    where = choose_device(device)
    checkpoint = open_checkpoint(model)
    chat = Chat(checkpoint)
    made = [_encode(examples, chat, checkpoint, recipe) for examples in (train, validation)]
    half = dtype == "bfloat16" or (dtype == "auto" and where.type == "cuda")
    memory, tokens = _estimate(checkpoint, made[0], recipe, half=half)
    run = RunFolder(folder)
    identity = {
        "recipe": recipe.to_dict(),
        "examples": fingerprint(train),
        "validation examples": fingerprint(validation),
        "model": display_name(model),
        "dtype": "bfloat16" if half else "float32",
    }
    resume = None if anew else run.resumable(identity)
    resumed_from = int(resume.name.rpartition("-")[2]) if resume is not None else 0
    on_plan(
        Plan(
            len(train),
            sum(example.with_neighbours for example in train),
            len(validation),
            steps,
            tokens,
            memory,
            where,
            torch.cuda.get_device_properties(where).total_memory if where.type == "cuda" else None,
            resumed_from,
        )
    )
    if resume is not None and run.finished:
        curves = read_curves(folder)
        last = curves["train/loss"][-1][0]
        return FineTuned(run.adapter, last, steps, memory.trainable, curves, last, run.picture)
    run.begin(identity, {"memory": memory.parts}, anew=anew)
    # Before the adapters are made: their first values are drawn from the same stream.
    set_seed(recipe.seed)
    adapted = _adapted(checkpoint, chat, recipe, where, half=half)
    trainer, watch = _trainer(adapted, made[0], made[1], chat, run, recipe, where, on_step, half=half)
    try:
        trainer.train(resume_from_checkpoint=str(resume) if resume is not None else None)
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"The GPU has no memory left at step {trainer.state.global_step}; lower --micro-batch, "
            "--max-tiles or --neighbours, or close what else uses it. The same command goes on from the "
            "last checkpoint."
        ) from error
    finally:
        watch.close()
    trainer.model.save_pretrained(run.adapter, save_embedding_layers=False)
    curves = curves_of(trainer.state.log_history)
    write_curves(curves, run.curves, run.picture)
    return FineTuned(
        run.adapter,
        int(trainer.state.global_step),
        steps,
        memory.trainable,
        curves,
        resumed_from,
        run.picture,
    )


def _encode(examples: Sequence[Example], chat: Chat, checkpoint: Checkpoint, recipe: Recipe) -> Examples:
    mean, std = picture_statistics(checkpoint)
    return Examples(examples, chat, checkpoint, max_tiles=recipe.max_tiles, mean=mean, std=std)


def _estimate(
    checkpoint: Checkpoint, examples: Examples, recipe: Recipe, *, half: bool
) -> tuple[MemoryEstimate, int]:
    config = copy.deepcopy(checkpoint.config)
    config.tie_word_embeddings = False  # known only from the weights; counting both is on the safe side
    tokens, answer = examples.longest()
    tiles = recipe.max_tiles + (recipe.max_tiles > 1 and checkpoint.thumbnail)
    estimate = estimate_memory(
        config,
        rank=recipe.rank,
        tokens=tokens,
        answer=answer,
        tiles=tiles,
        micro_batch=recipe.micro_batch,
        width=2 if half else 4,
    )
    return estimate, tokens


def _adapted(checkpoint: Checkpoint, chat: Chat, recipe: Recipe, device: torch.device, *, half: bool) -> Any:
    dtype = torch.bfloat16 if half else torch.float32
    base = load_model(checkpoint, image_token=chat.image_token, device=device, dtype=dtype)
    base.config.get_text_config().use_cache = False  # it and checkpointing exclude each other
    lora = LoraConfig(
        r=recipe.rank,
        lora_alpha=2 * recipe.rank,
        lora_dropout=recipe.dropout,
        target_modules=LORA_TARGETS,
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by a name that is going away
        # peft freezes everything else, and keeps the adapters in float32 whatever the base is in.
        return get_peft_model(base, lora)


class _WholeBatches(Sampler[int]):
    """A new order each epoch, without the last batch when it would not be full."""

    def __init__(self, examples: int, batch: int, seed: int) -> None:
        self._examples = examples
        self._kept = examples // batch * batch
        self._seed = seed
        self._epoch = 0

    def __len__(self) -> int:
        return self._kept

    def __iter__(self) -> Iterator[int]:
        # A generator of its own: a resumed run draws the same order without replaying anything.
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        return iter(torch.randperm(self._examples, generator=generator)[: self._kept].tolist())

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer's loader before each epoch."""
        self._epoch = epoch


class _Trainer(_TRAINER):  # type: ignore[misc]
    """The Trainer with whole batches only."""

    recipe: Recipe

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return _WholeBatches(len(train_dataset or self.train_dataset), self.recipe.batch, self.recipe.seed)


def _trainer(
    model: Any,
    train: Examples,
    validation: Examples,
    chat: Chat,
    run: RunFolder,
    recipe: Recipe,
    device: torch.device,
    on_step: OnStep,
    *,
    half: bool,
) -> tuple[Any, Watch]:
    checks = len(validation) > 0
    steps = recipe.steps(len(train))
    arguments = TrainingArguments(
        output_dir=str(run.checkpoints),
        max_steps=steps,
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.micro_batch,
        per_device_eval_batch_size=recipe.micro_batch,
        gradient_accumulation_steps=recipe.accumulation,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=math.ceil(recipe.warmup * steps),
        weight_decay=recipe.weight_decay,
        max_grad_norm=1.0,
        bf16=half,
        use_cpu=device.type == "cpu",
        activation_checkpointing=True,
        activation_checkpointing_kwargs={"use_reentrant": False},
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=recipe.check_every,
        save_total_limit=2,
        eval_strategy="steps" if checks else "no",
        eval_steps=recipe.check_every if checks else None,
        load_best_model_at_end=checks,
        metric_for_best_model="eval_loss" if checks else None,
        greater_is_better=False if checks else None,
        prediction_loss_only=True,
        remove_unused_columns=False,
        label_names=["labels"],
        report_to=[],
        disable_tqdm=True,
        seed=recipe.seed,
        data_seed=recipe.seed,
        dataloader_pin_memory=device.type == "cuda",
        # Else patience would begin anew after a kill.
        restore_callback_states_from_checkpoint=True,
    )
    watch = Watch(run.tensorboard, on_step)
    callbacks: list[Any] = [watch]
    if checks and recipe.patience:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=recipe.patience))
    padding = chat.tokenizer.pad_token_id
    trainer = _Trainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=validation if checks else None,
        data_collator=Collator(int(padding) if padding is not None else chat.turn_end),
        callbacks=callbacks,
    )
    trainer.recipe = recipe
    trainer.remove_callback(PrinterCallback)
    return trainer, watch


def read_curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The curves that a finished run left in `folder`."""
    values = json.loads(RunFolder(folder).curves.read_text(encoding="utf-8"))
    return {tag: [(int(step), float(value)) for step, value in pairs] for tag, pairs in values.items()}
