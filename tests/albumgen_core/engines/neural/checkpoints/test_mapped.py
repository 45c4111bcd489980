from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from albumgen_core.engines.neural.checkpoints.mapped import DTYPES, MappedFile
from albumgen_core.errors import DamagedFileError

DRAWN = torch.Generator().manual_seed(0)


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    kinds = {
        f"kind {name}": (torch.rand(3, 5, generator=DRAWN) * 9).to(kind) for name, kind in DTYPES.items()
    }
    shapes = {"scalar": torch.tensor(2.5), "empty": torch.empty(0, 4), "large": torch.rand(300, 1000)}
    return kinds | shapes


@pytest.fixture
def path(tensors: dict[str, torch.Tensor], tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_file(tensors, path, {"format": "pt"})
    return path


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return (
        one.dtype == other.dtype
        and one.shape == other.shape
        and one.flatten().view(torch.uint8).equal(other.flatten().view(torch.uint8))
    )


def test_every_kind_of_tensor_is_what_was_saved(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    file = MappedFile(path)
    assert set(file) == set(tensors)
    assert all(same(file.get(name), tensor) for name, tensor in tensors.items())


def test_released_tensors_come_back_and_outlive_the_file(
    path: Path, tensors: dict[str, torch.Tensor]
) -> None:
    file = MappedFile(path)
    held = {name: file.get(name) for name in file}
    file.release(held["large"])
    file.release(torch.ones(3))  # not of this file: left alone
    file.release(held["empty"])
    file.release()
    del file
    assert all(same(held[name], tensor) for name, tensor in tensors.items())


def test_releasing_gives_memory_back(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"large": torch.ones(2**24), "other": torch.ones(8)}, path)  # 64 MiB

    def mapped() -> int:
        status = Path("/proc/self/status")
        if not status.exists():
            pytest.skip("no /proc here")
        line = next(line for line in status.read_text().splitlines() if line.startswith("RssFile"))
        return int(line.split()[1]) // 1024

    file = MappedFile(path)
    tensor = file.get("large")
    before = mapped()
    assert tensor.sum() == 2**24
    assert mapped() > before + 50
    file.release(tensor)
    assert mapped() < before + 10


def test_what_is_written_to_a_tensor_never_reaches_the_file(path: Path) -> None:
    whole = path.read_bytes()
    MappedFile(path).get("large").fill_(7)
    assert path.read_bytes() == whole


def test_tensors_that_are_not_aligned_are_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    header = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    header += b" " * ((5 - len(header)) % 8)
    numbers = torch.tensor([1.5, -2.0])
    path.write_bytes(len(header).to_bytes(8, "little") + header + numbers.numpy().tobytes())
    assert MappedFile(path).get("x").equal(numbers)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]},
        {"dtype": "F31", "shape": [2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [-2], "data_offsets": [0, -8]},
        {"dtype": "F32", "shape": "all", "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]},
        {"dtype": "F32", "shape": [2], "data_offsets": [8]},
        "nothing",
    ],
)
def test_entries_that_do_not_hold_together_are_refused(tmp_path: Path, entry: object) -> None:
    path = tmp_path / "bad.safetensors"
    header = json.dumps({"x": entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(DamagedFileError):
        MappedFile(path)
