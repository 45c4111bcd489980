"""Where the neural family's weights come from: a local folder, or the Hugging Face hub's cache.

Offline first: an engine reads what is on this machine, and only `pull` ever downloads. Nothing here
imports torch, so that the command line can look after weights without waiting for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from albumgen_core.engines.neural.checkpoints.specs import (
    CONFIG,
    PICKLED,
    SAFETENSORS,
    SAFETENSORS_INDEX,
    SPECS,
    ModelSpec,
    Role,
)
from albumgen_core.errors import EngineUnavailableError

__all__ = [
    "CONFIG",
    "PICKLED",
    "SAFETENSORS",
    "SAFETENSORS_INDEX",
    "SPECS",
    "ModelSpec",
    "PullProgress",
    "Role",
    "damaged",
    "display_name",
    "find",
    "is_hub_id",
    "locate",
    "missing_file",
    "pull",
    "read_json",
    "shards_of",
    "unusable",
]


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a download is.

    Attributes:
        file: the file that is being fetched.
        done, total: bytes of the whole model that are here, and that there are.
    """

    file: str
    done: int
    total: int


def unusable(spec: ModelSpec, path: Path | str, problem: str) -> EngineUnavailableError:
    """The one sentence that says what is wrong with a file, and what mends it."""
    return EngineUnavailableError(
        f"{spec.title} cannot start: {path} {problem}; run `albumgen weights pull {spec.role}` to fetch it, "
        f"or point engine.{spec.role}.model at a whole checkpoint (`albumgen doctor` checks it)."
    )


def damaged(spec: ModelSpec, path: Path | str, detail: object) -> EngineUnavailableError:
    """`unusable` for a file that is there but cannot be read."""
    return unusable(spec, path, f"is damaged ({' '.join(str(detail).split())[:160]})")


def locate(spec: ModelSpec, model: str, revision: str = "main") -> Path:
    """The folder that holds `model`: itself when it is one, else the hub cache's copy of that revision.

    Never downloads. Raises EngineUnavailableError, naming what is missing and the fix, unless every
    required file is there.
    """
    folder = find(spec, model, revision)
    missing = missing_file(spec, folder)
    if missing is not None:
        raise unusable(spec, folder / missing, "is missing")
    return folder


def find(spec: ModelSpec, model: str, revision: str = "main") -> Path:
    """Like `locate`, without looking at what the folder holds."""
    local = Path(model).expanduser()
    if local.is_dir():
        return local
    if not is_hub_id(model):
        raise unusable(spec, model, "is not a folder")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, revision=revision, local_files_only=True))
    except (OSError, ValueError) as error:  # LocalEntryNotFoundError and its kin are among these
        raise unusable(spec, f"{model} (revision {revision})", "is not on this machine") from error


def is_hub_id(model: str) -> bool:
    """Whether `model` can be the name of a repository on the hub (`owner/name`), not a path."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(model)
    except HFValidationError:
        return False
    return model.count("/") == 1 and not model.startswith((".", "~"))


def display_name(folder: Path) -> str:
    """What to call the model in `folder`: the repository's name when it is in the hub's cache."""
    if folder.parent.name == "snapshots":
        return folder.parent.parent.name.rpartition("--")[2] or folder.name
    return folder.name


def missing_file(spec: ModelSpec, folder: Path) -> str | None:
    """The first required file that `folder` lacks, shards included; None when all are there."""
    for alternatives in spec.required:
        chosen = next((files for files in alternatives if all((folder / f).is_file() for f in files)), None)
        if chosen is None:
            return next(f for f in alternatives[0] if not (folder / f).is_file())
        if SAFETENSORS_INDEX in chosen:
            for shard in shards_of(spec, folder):
                if not (folder / shard).is_file():
                    return shard
    return None


def shards_of(spec: ModelSpec, folder: Path) -> list[str]:
    """File names of a sharded checkpoint, from its index."""
    names = read_json(spec, folder / SAFETENSORS_INDEX).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise damaged(spec, folder / SAFETENSORS_INDEX, "no weight_map")
    # Only the last part: an index must not reach outside its folder.
    return sorted({Path(str(name)).name for name in names.values()})


def read_json(spec: ModelSpec, path: Path) -> dict[str, Any]:
    """A JSON object of the checkpoint. Raises EngineUnavailableError when that fails."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise unusable(spec, path, "is missing") from None
    except (OSError, ValueError) as error:
        raise damaged(spec, path, error) from error
    if not isinstance(values, dict):
        raise damaged(spec, path, "not a JSON object")
    return values


def pull(
    spec: ModelSpec,
    model: str | None = None,
    revision: str = "main",
    *,
    on_progress: Callable[[PullProgress], None] | None = None,
    endpoint: str | None = None,
) -> Path:
    """Download what is missing of `model` into the hub's cache; return its folder there.

    Only the files that the engine reads are fetched; an interrupted download goes on where it stopped. A
    local folder is returned as it is. `endpoint` is another hub (default: `$HF_ENDPOINT`, else the
    public one). Raises EngineUnavailableError with one sentence when that fails.
    """
    model = model or spec.default
    if Path(model).expanduser().is_dir() or not is_hub_id(model):
        return locate(spec, model, revision)
    from huggingface_hub import HfApi

    try:
        info = HfApi(endpoint=endpoint).model_info(model, revision=revision, files_metadata=True)
        sizes = {s.rfilename: int(s.size or 0) for s in info.siblings or []}
        return _fetch(spec, model, revision, sizes, on_progress, endpoint)
    except EngineUnavailableError:
        raise
    except Exception as error:  # the hub's client raises its own, its HTTP library's and the system's errors
        reason = " ".join(str(error).split())[:200]
        raise EngineUnavailableError(
            f"{spec.title} could not be fetched: {model} (revision {revision}) gave {type(error).__name__}: "
            f"{reason}; check the name and the connection, then run `albumgen weights pull {spec.role}`."
        ) from error


def _fetch(
    spec: ModelSpec,
    model: str,
    revision: str,
    sizes: dict[str, int],
    on_progress: Callable[[PullProgress], None] | None,
    endpoint: str | None,
) -> Path:
    from huggingface_hub import hf_hub_download

    wanted = _wanted(spec, model, sizes)
    tally = _Tally(wanted, sizes, on_progress)
    folder = Path()
    for name in wanted:  # the list grows when an index of shards has come
        tally.begin(name)
        download = partial(hf_hub_download, model, name, revision=revision, endpoint=endpoint)
        path = download(tqdm_class=_progress_bar(tally.report))
        if Path(path).stat().st_size != sizes[name]:
            # The hub's client takes whatever lies in the cache, even a file that was cut short there.
            path = download(tqdm_class=_progress_bar(tally.report), force_download=True)
        tally.end()
        folder = Path(path).parents[name.count("/")]
        if name == SAFETENSORS_INDEX:
            wanted.extend(shard for shard in shards_of(spec, folder) if shard in sizes)
    missing = missing_file(spec, folder)
    if missing is not None:
        raise unusable(spec, folder / missing, "is missing")
    return folder


class _Tally:
    """Adds up the bytes of several files for one progress callback."""

    def __init__(
        self, wanted: list[str], sizes: dict[str, int], on_progress: Callable[[PullProgress], None] | None
    ) -> None:
        self._wanted = wanted
        self._sizes = sizes
        self._on_progress = on_progress
        self._before = 0
        self._file = ""

    def begin(self, file: str) -> None:
        self._file = file
        self.report(0)

    def end(self) -> None:
        self.report(self._sizes[self._file])
        self._before += self._sizes[self._file]

    def report(self, count: int) -> None:
        """`count` bytes of the file that is being fetched are here."""
        if self._on_progress is not None:
            done = self._before + min(count, self._sizes[self._file])
            total = sum(self._sizes[file] for file in self._wanted)
            self._on_progress(PullProgress(self._file, done, total))


def _wanted(spec: ModelSpec, model: str, sizes: dict[str, int]) -> list[str]:
    """The files to fetch: of each requirement the first alternative that the repository has."""
    wanted: list[str] = []
    for alternatives in spec.required:
        chosen = next((files for files in alternatives if all(f in sizes for f in files)), None)
        if chosen is None:
            raise unusable(spec, f"{model}/{alternatives[0][0]}", "is not in that repository")
        wanted.extend(f for f in chosen if f not in wanted)
    wanted.extend(f for f in spec.optional if f in sizes and f not in wanted)
    return wanted


def _progress_bar(report: Callable[[int], None]) -> Any:
    """A tqdm class for the hub's client that draws nothing and passes the byte counts on."""
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class Silent(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)  # the hub's own addition to tqdm's arguments
            super().__init__(*args, **{**kwargs, "disable": True})
            self._count = int(kwargs.get("initial") or 0)

        def update(self, n: float | None = 1) -> bool | None:
            self._count += int(n or 0)
            report(self._count)
            return None

    return Silent
