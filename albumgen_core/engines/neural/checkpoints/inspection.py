"""Whether a model's files are whole, without loading them or torch: what `albumgen doctor` asks."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albumgen_core.engines.neural.checkpoints.hub import (
    CONFIG,
    PICKLED,
    SAFETENSORS,
    SAFETENSORS_INDEX,
    ModelSpec,
    find,
    missing_file,
    read_json,
    shards_of,
)
from albumgen_core.errors import DamagedFileError, EngineUnavailableError

MAX_HEADER_BYTES = 100_000_000
"""The safetensors format's own limit on its header."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        ok: whether it is as it should be.
        subject: the file, folder or model in question.
        message: what was found; for a problem a sentence that says the fix.
        size: bytes, where the subject is a file.
    """

    ok: bool
    subject: str
    message: str
    size: int | None = None


def check(spec: ModelSpec, model: str | None = None, revision: str = "main") -> list[Finding]:
    """Look at every file of `model`: there, complete, with a header that parses, of the right architecture.

    Never raises for a bad checkpoint: a problem is a Finding whose `ok` is False.
    """
    model = model or spec.default
    fix = f"run `albumgen weights pull {spec.role}`"
    try:
        folder = find(spec, model, revision)
        missing = missing_file(spec, folder)
        if missing is not None:
            return [Finding(False, str(folder / missing), f"missing; {fix}")]
        findings = [_check_config(spec, folder)] if (folder / CONFIG).is_file() else []
        findings.extend(_check_file(folder / name, fix) for name in _weight_files(spec, folder))
    except EngineUnavailableError as error:
        return [Finding(False, model, str(error))]
    return findings


def _check_config(spec: ModelSpec, folder: Path) -> Finding:
    kind = read_json(spec, folder / CONFIG).get("model_type")
    if kind not in spec.model_types:
        wanted = " or ".join(sorted(spec.model_types))
        return Finding(False, str(folder / CONFIG), f"describes a model of type {kind!r}, not {wanted}")
    return Finding(True, str(folder / CONFIG), f"{spec.title} ({kind})")


def _weight_files(spec: ModelSpec, folder: Path) -> list[str]:
    if (folder / SAFETENSORS).is_file():
        return [SAFETENSORS]
    if (folder / SAFETENSORS_INDEX).is_file():
        return shards_of(spec, folder)
    return [
        name
        for name in (PICKLED, "state_dict.bin", "compression_state_dict.bin")
        if (folder / name).is_file()
    ]


def _check_file(path: Path, fix: str) -> Finding:
    try:
        size = path.stat().st_size
        if path.suffix == ".safetensors":
            tensors = len(read_safetensors_header(path))
            return Finding(True, str(path), f"complete, {tensors} tensors", size)
        with zipfile.ZipFile(path) as archive:  # PyTorch's format: the directory is at the end
            return Finding(True, str(path), f"complete, {len(archive.namelist())} entries", size)
    except (DamagedFileError, zipfile.BadZipFile, OSError) as error:
        return Finding(False, str(path), f"damaged ({error}); delete it and {fix}")


def read_safetensors_header(path: Path) -> dict[str, dict[str, Any]]:
    """The tensors that a safetensors file declares: name → {"dtype", "shape", "data_offsets"}.

    Raises DamagedFileError when the header does not parse or the file is not as long as it says.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 0 < length <= min(MAX_HEADER_BYTES, size - 8):
            raise DamagedFileError("the header is cut off or no header at all")
        try:
            header = json.loads(file.read(length))
            tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
            end = max((int(entry["data_offsets"][1]) for entry in tensors.values()), default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise DamagedFileError("the header does not parse") from error
    if 8 + length + end != size:
        raise DamagedFileError(f"{size:,} bytes long instead of {8 + length + end:,}")
    return tensors
