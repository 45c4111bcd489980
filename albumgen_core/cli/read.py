"""Covers from the command line: paths in, checked pictures out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from albumgen_core.cover.read import Cover, read_cover
from albumgen_core.errors import AlbumGenError, CoverError


def read_cover_file(path: Path) -> Cover:
    """Check and decode one picture. Raises AlbumGenError naming the file."""
    try:
        return read_cover(path.read_bytes())
    except OSError as error:
        raise AlbumGenError(f"{path} cannot be read: {error.strerror}.") from error
    except CoverError as error:
        raise AlbumGenError(f"{path}: {error}") from error


def unique_names(paths: Sequence[Path]) -> list[str]:
    """A folder name for each cover: its stem, numbered where two covers share one."""
    names: list[str] = []
    for path in paths:
        name, count = path.stem, 2
        while name in names:
            name, count = f"{path.stem}-{count}", count + 1
        names.append(name)
    return names
