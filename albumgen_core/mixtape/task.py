"""A mixtape made in a process of its own, at low priority: members' voices go on while it works."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from albumgen_core.errors import MixtapeError, MixtapeTooLongError, TaskError
from albumgen_core.files import remove_paths
from albumgen_core.mixtape.values import CROSSFADE_SECONDS, UPLOAD_BYTES, Chapter, Mixtape, Track
from albumgen_core.tasks.child import run_task

_MODULE = "albumgen_core.mixtape"
_TIMEOUT_SECONDS = 900.0


async def make_mixtape_in_child(
    tracks: Sequence[Track],
    out: Path,
    *,
    title: str,
    max_bytes: int = UPLOAD_BYTES,
    crossfade: float = CROSSFADE_SECONDS,
    timeout: float = _TIMEOUT_SECONDS,  # noqa: ASYNC109 - the child must be ended, not only left
) -> Mixtape:
    """`tape.make_mixtape` in a process of its own; it ends with the task that waits, or after `timeout` s.

    What a killed predecessor left beside `out` is swept away, so only one at a time may write there.

    Raises MixtapeError as `make_mixtape` does; OSError where the folder of `out` cannot be written.
    """
    await asyncio.to_thread(_sweep, out.parent)
    # The scratch folder is ours, so that nothing stays behind when the process has to be ended. Made without
    # a thread: a task that is cancelled would not hear of its name.
    scratch = Path(tempfile.mkdtemp(prefix=".mixtape-", dir=out.parent))
    payload = {
        "tracks": [asdict(track) for track in tracks],
        "out": scratch / out.name,
        "title": title,
        "max_bytes": max_bytes,
        "crossfade": crossfade,
    }
    try:
        response = await run_task(_MODULE, payload, timeout)
        await asyncio.to_thread(os.replace, scratch / out.name, out)
    except TaskError as error:
        raise _mixtape_error(error) from None
    finally:
        # Not awaited: this must happen in a cancelled task too, and takes no time.
        remove_paths([str(scratch)])
    return Mixtape(
        path=out,
        size=response["size"],
        seconds=response["seconds"],
        kbps=response["kbps"],
        channels=response["channels"],
        chapters=tuple(Chapter(**chapter) for chapter in response["chapters"]),
        left_out=tuple(response["left_out"]),
    )


def _sweep(folder: Path) -> None:
    remove_paths([str(left) for left in folder.glob(".mixtape-*")])


def _mixtape_error(error: TaskError) -> MixtapeError:
    if error.code == "too_long":
        return MixtapeTooLongError(str(error))
    if error.code in ("timeout", "died"):
        words = "took too long" if error.code == "timeout" else "was interrupted"
        return MixtapeError(f"Making the mixtape {words}.", error.code)
    return MixtapeError(str(error), error.code)
