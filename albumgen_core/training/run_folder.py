"""What a run leaves on disk, and how a later one goes on with it.

<folder>/run.json            the recipe, the examples' fingerprint, the memory estimate
<folder>/checkpoints/        the newest checkpoint and the best
<folder>/tensorboard/        curves for TensorBoard
<folder>/curves.json, .png   the same curves, written at the end
<folder>/adapter/            the adapter; `engine.internvl.adapter` points here
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from albumgen_core.errors import TrainingError
from albumgen_core.training.examples import Example

_RUN = "run.json"
_STATE = "trainer_state.json"
_IDENTITY = "identity"


class RunFolder:
    """The folder of one run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.checkpoints = root / "checkpoints"
        self.tensorboard = root / "tensorboard"
        self.adapter = root / "adapter"
        self.curves = root / "curves.json"
        self.picture = root / "curves.png"

    def resumable(self, identity: dict[str, Any]) -> Path | None:
        """The checkpoint that a run of this identity goes on from, None for the beginning; changes nothing.

        Raises TrainingError when the folder holds a run of other examples or another recipe.
        """
        previous = self._previous()
        if previous is None:
            return None
        if previous.get(_IDENTITY) != identity:
            changed = [k for k in identity if (previous.get(_IDENTITY) or {}).get(k) != identity[k]]
            raise TrainingError(
                f"{self.root} holds a run with another {' and '.join(changed) or 'recipe'}; choose another "
                "folder, or pass --anew to delete that run."
            )
        return next((folder for folder in reversed(self._checkpoints()) if _whole(folder)), None)

    def begin(self, identity: dict[str, Any], notes: dict[str, Any], *, anew: bool) -> None:
        """Make the folder ready: checkpoints that a kill cut short go, and with `anew` all that was there.

        Raises TrainingError when it cannot be written.
        """
        if anew:
            for folder in (self.checkpoints, self.tensorboard, self.adapter):
                shutil.rmtree(folder, ignore_errors=True)
            for file in (self.curves, self.picture):
                file.unlink(missing_ok=True)
        for folder in self._checkpoints():
            if not _whole(folder):
                shutil.rmtree(folder, ignore_errors=True)
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            partial = self.root / f"{_RUN}.partial"
            partial.write_text(json.dumps({_IDENTITY: identity, **notes}, indent=1) + "\n", encoding="utf-8")
            partial.replace(self.root / _RUN)
        except OSError as error:
            raise TrainingError(f"{self.root} cannot be written ({error.strerror}).") from error

    @property
    def finished(self) -> bool:
        """Whether a run came to its end here: the picture of its curves is written last."""
        return self.picture.is_file() and (self.adapter / "adapter_model.safetensors").is_file()

    def _checkpoints(self) -> list[Path]:
        return sorted(self.checkpoints.glob("checkpoint-*"), key=_step_of)

    def _previous(self) -> dict[str, Any] | None:
        try:
            values = json.loads((self.root / _RUN).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return values if isinstance(values, dict) else None


def fingerprint(examples: Sequence[Example]) -> str:
    """Identity of a set of examples in its order: questions, answers and names of covers."""
    digest = hashlib.sha256()
    for example in examples:
        for part in (example.cover.name, example.question, example.target.text):
            digest.update(part.encode() + b"\0")
        digest.update(repr(example.target.unknown).encode())
    return digest.hexdigest()[:16]


def _step_of(folder: Path) -> int:
    number = folder.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _whole(checkpoint: Path) -> bool:
    """Whether its state can be read: the Trainer writes that last."""
    try:
        return isinstance(json.loads((checkpoint / _STATE).read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False
