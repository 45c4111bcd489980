"""The process that makes a mixtape. See `albumgen_core.tasks.child`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from albumgen_core.mixtape.tape import make_mixtape
from albumgen_core.mixtape.values import Track
from albumgen_core.tasks.child import serve


def _handle(payload: Mapping[str, Any]) -> dict[str, Any]:
    tracks = [
        Track(Path(track["mp3"]), track["title"], Path(track["cover"]) if track["cover"] else None)
        for track in payload["tracks"]
    ]
    tape = make_mixtape(
        tracks,
        Path(payload["out"]),
        title=payload["title"],
        max_bytes=payload["max_bytes"],
        crossfade=payload["crossfade"],
    )
    return asdict(tape)


if __name__ == "__main__":
    serve(_handle)
