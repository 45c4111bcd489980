"""A mixtape made in a process of its own, at low priority: members' voices go on while it works."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bot.sessions.mixtape import (
    CROSSFADE_SECONDS,
    MIN_UPLOAD_BYTES,
    Mixtape,
    MixtapeError,
    MixtapeTooLongError,
    Track,
    make_mixtape,
)
from bot.sessions.mixtape_tags import Chapter

_TIMEOUT_SECONDS = 900.0


async def make_mixtape_aside(
    tracks: Sequence[Track],
    out: Path,
    *,
    title: str,
    max_bytes: int = MIN_UPLOAD_BYTES,
    crossfade: float = CROSSFADE_SECONDS,
    timeout: float = _TIMEOUT_SECONDS,  # noqa: ASYNC109 - the child must be ended, not only left
) -> Mixtape:
    """`make_mixtape` in a process of its own; ended with the task that waits, or after `timeout` seconds.

    Raises as `make_mixtape` does; MixtapeError with code "encoder" when the process fails or takes too long.
    """
    # The scratch folder is ours, so that nothing stays behind when the process has to be ended.
    scratch = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=".mixtape-", dir=out.parent))
    order = {
        "tracks": [asdict(track) for track in tracks],
        "out": scratch / out.name,
        "title": title,
        "max_bytes": max_bytes,
        "crossfade": crossfade,
    }
    try:
        tape = _read_answer(await _answer(order, timeout), out, max_bytes)
        await asyncio.to_thread(os.replace, scratch / out.name, out)
    finally:
        # Not awaited: this must happen in a cancelled task too, and takes no time.
        shutil.rmtree(scratch, ignore_errors=True)
    return tape


async def _answer(order: Mapping[str, Any], seconds: float) -> bytes:
    """What the process writes; it is dead when this returns or raises."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.sessions.mixtape_aside"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    try:
        written = json.dumps(order, default=str).encode("utf-8", "replace")
        answer, _ = await asyncio.wait_for(child.communicate(written), seconds)
    except TimeoutError:
        raise MixtapeError("Making the mixtape took too long.", "encoder") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return answer


def _read_answer(answer: bytes, out: Path, max_bytes: int) -> Mixtape:
    try:
        told: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise MixtapeError("The mixtape could not be made.", "encoder") from None
    if told.get("error") == "too_long":
        raise MixtapeTooLongError(told["seconds"], max_bytes)
    if "error" in told:
        raise MixtapeError(told["message"], told["error"])
    told["chapters"] = tuple(Chapter(**chapter) for chapter in told["chapters"])
    return Mixtape(**told | {"path": out, "left_out": tuple(told["left_out"])})


def _obey(order: Mapping[str, Any]) -> dict[str, Any]:
    tracks = [
        Track(Path(track["mp3"]), track["title"], Path(track["cover"]) if track["cover"] else None)
        for track in order["tracks"]
    ]
    try:
        tape = make_mixtape(
            tracks,
            Path(order["out"]),
            title=order["title"],
            max_bytes=order["max_bytes"],
            crossfade=order["crossfade"],
        )
    except MixtapeError as error:
        told: dict[str, Any] = {"error": error.code, "message": str(error)}
        return told | ({"seconds": error.seconds} if isinstance(error, MixtapeTooLongError) else {})
    except OSError as error:
        return {"error": "disk", "message": f"The mixtape could not be written: {error.strerror}."}
    return asdict(tape)


def main() -> None:
    """Read an order from standard input, make the tape, and write what came of it to standard output."""
    os.nice(10)
    told = _obey(json.load(sys.stdin.buffer))
    sys.stdout.write(json.dumps(told, default=str))


if __name__ == "__main__":
    main()
