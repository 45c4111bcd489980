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
    """A folder name for each cover: its stem, numbered where two share one in any case of letters."""
    names: list[str] = []
    taken: set[str] = set()
    for path in paths:
        stem = path.stem.strip(". ") or "cover"
        name, count = stem, 2
        while name.casefold() in taken:
            name, count = f"{stem}-{count}", count + 1
        taken.add(name.casefold())
        names.append(name)
    return names
