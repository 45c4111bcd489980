"""A safetensors file in memory without being read: tensors are views of its mapped pages.

Pages come from the disk when they are touched, are shared with the page cache, and can be given back tensor
by tensor once a packed copy has been made, so that loading never holds a model twice. The whole file is
asked for in the background when it is opened: the disk reads ahead while the processor packs.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from albumgen_core.engines.neural.checkpoints.inspection import read_safetensors_header
from albumgen_core.errors import DamagedFileError

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
"""The format's names of number types: https://github.com/huggingface/safetensors#format."""


class MappedFile:
    """The tensors of one file.

    Writing to a tensor changes this process's own copy of the page, never the file.

    Raises OSError (FileNotFoundError included), or DamagedFileError when the file does not hold together.
    """

    def __init__(self, path: Path) -> None:
        header = read_safetensors_header(path)
        with path.open("rb") as file:
            start = 8 + int.from_bytes(file.read(8), "little")
            self._pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            _read_ahead(os.dup(file.fileno()))
        self._first = torch.frombuffer(self._pages, dtype=torch.uint8, count=1).data_ptr()
        self._places = {name: _place(name, entry, start) for name, entry in header.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def get(self, name: str) -> Tensor:
        """The tensor called `name`, on the CPU, in the file's number type. Raises KeyError."""
        dtype, shape, offset = self._places[name]
        count = prod(shape)
        if not count:
            return torch.empty(shape, dtype=dtype)
        if offset % dtype.itemsize:  # the format's own writer aligns; others need not
            copy = bytearray(self._pages[offset : offset + count * dtype.itemsize])
            return torch.frombuffer(copy, dtype=dtype).view(shape)
        return torch.frombuffer(self._pages, dtype=dtype, count=count, offset=offset).view(shape)

    def release(self, tensor: Tensor | None = None) -> None:
        """Give back the pages of `tensor`, or of the whole file. They come again if they are touched again.

        What was written to them is lost: for tensors that nobody has changed.
        """
        start, stop = 0, len(self._pages)
        if tensor is not None:
            start = tensor.data_ptr() - self._first
            stop = start + tensor.nbytes
            if not 0 <= start < stop <= len(self._pages):
                return  # a copy, which has no pages here
            # Whole pages only; what is left over at the edges belongs to the neighbours as well.
            start = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
            stop = stop // mmap.PAGESIZE * mmap.PAGESIZE
        if start < stop and hasattr(mmap, "MADV_DONTNEED"):
            self._pages.madvise(mmap.MADV_DONTNEED, start, stop - start)


def _place(name: str, entry: Any, start: int) -> tuple[torch.dtype, tuple[int, ...], int]:
    """Number type, shape and place in the file of one tensor of the header."""
    try:
        dtype = DTYPES[entry["dtype"]]
        shape = tuple(int(size) for size in entry["shape"])
        begin, end = (int(offset) for offset in entry["data_offsets"])
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(f"the entry of {name} does not parse") from error
    if begin < 0 or end - begin != prod(shape) * dtype.itemsize or min(shape, default=0) < 0:
        raise DamagedFileError(f"{name} is not as long as its shape says")
    return dtype, shape, start + begin


def _read_ahead(descriptor: int) -> None:
    """Ask for the file's pages on a thread, as the request itself waits for the disk; closes `descriptor`."""

    def ask() -> None:
        try:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(descriptor)

    threading.Thread(target=ask, name="read-ahead", daemon=True).start()
