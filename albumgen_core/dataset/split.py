"""Train, validation and test: 80/10/10 by albums, with no artist on two sides.

An album cover resembles the artist's other covers, and so does the music; albums of one artist on both
sides would reward memory. Albums that share an artist, directly or through others, stay together.
"""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from albumgen_core.dataset.records import AlbumRecord, Dataset
from albumgen_core.errors import DatasetError
from albumgen_core.files import write_durably

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
SHARES: Mapping[Part, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}
"""The slides' shares."""

SPLIT_FILE = "split.csv"


def split_albums(
    records: Sequence[AlbumRecord], seed: int = 0, shares: Mapping[Part, float] = SHARES
) -> dict[str, Part]:
    """Give every album a part, the same for the same albums, seed and shares, whatever their order.

    Returns album_id → part. A group of albums too large for validation or test goes to training; the
    parts come as near to the shares as whole groups allow.
    """
    groups = artist_groups(records)
    random.Random(seed).shuffle(groups)
    room = {part: shares[part] * len(records) for part in PARTS}
    parts: dict[str, Part] = {}
    for group in groups:
        # Half a group may go over: a part of a few large groups is nearer to its share than an empty one.
        small = [part for part in PARTS[1:] if room[part] >= len(group) / 2]
        # The relatively emptiest part takes the group, so that every part is a fair sample.
        candidates: list[Part] = ["train", *small]
        part = max(candidates, key=lambda name: room[name] / max(shares[name] * len(records), 1e-9))
        room[part] -= len(group)
        parts.update(dict.fromkeys(group, part))
    return parts


def artist_groups(records: Sequence[AlbumRecord]) -> list[list[str]]:
    """Album ids, grouped by the artists they share directly or through others; in a canonical order."""
    leader: dict[str, str] = {}

    def find(node: str) -> str:
        while leader.setdefault(node, node) != node:
            leader[node] = leader[leader[node]]
            node = leader[node]
        return node

    for record in records:
        album = find(f"album {record.album.album_id}")
        for key in record.artist_keys:
            leader[find(f"artist {key}")] = find(album)
    groups: dict[str, list[str]] = {}
    for record in records:
        groups.setdefault(find(f"album {record.album.album_id}"), []).append(record.album.album_id)
    return sorted(sorted(group) for group in groups.values())


def parts_of(dataset: Dataset, parts: Mapping[str, Part]) -> dict[Part, list[AlbumRecord]]:
    """The records of each part. Raises DatasetError when an album has none."""
    chosen: dict[Part, list[AlbumRecord]] = {part: [] for part in PARTS}
    for record in dataset:
        part = parts.get(record.album.album_id)
        if part is None:
            unknown = record.album.album_id
            raise DatasetError(f"The split lacks the album {unknown}; run `albumgen dataset split` again.")
        chosen[part].append(record)
    return chosen


def write_split(path: Path, parts: Mapping[str, Part]) -> None:
    """Write album_id,part rows, sorted, whole or not at all."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(("album_id", "part"))
    writer.writerows(sorted(parts.items()))
    write_durably(path, file.getvalue().encode(), private=False)


def split_file(source: Path) -> Path:
    """Where the split of a source lies: in its folder, or beside its table."""
    return (source if source.is_dir() else source.parent) / SPLIT_FILE


def read_split(path: Path) -> dict[str, Part]:
    """Inverse of `write_split`. Raises DatasetError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        parts = {row["album_id"]: row["part"] for row in rows}
    except FileNotFoundError as error:
        raise DatasetError(f"There is no split at {path}; make one with `albumgen dataset split`.") from error
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} is no split of AlbumGen ({error}).") from error
    unknown = sorted(set(parts.values()) - set(PARTS))
    if unknown:
        raise DatasetError(f"{path} names a part {unknown[0]!r}; parts are {', '.join(PARTS)}.")
    return parts  # type: ignore[return-value]


def part_sizes(parts: Mapping[str, Part]) -> dict[Part, int]:
    """How many albums each part has."""
    counts = Counter(parts.values())
    return {part: counts[part] for part in PARTS}
