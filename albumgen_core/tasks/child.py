"""Work that would keep an event loop waiting, or load what its process must not load: done by a child.

The parent runs `python -m <module>` through `run_aside` and hands it an order, one JSON object; the module
calls `serve`. The order's pipe stays open: should the parent die, however it dies, it closes, and the child
ends too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from albumgen_core.errors import AlbumGenError, AsideError

_NICENESS = 10
_LONGEST_ORDER = 2**22


async def run_aside(
    module: str,
    order: Mapping[str, Any],
    timeout: float,  # noqa: ASYNC109 - the child must be ended, not only left
) -> dict[str, Any]:
    """What the child answers. It has ended when this returns or raises, also by cancellation.

    Args:
        module: its `__main__` calls `serve`.
        order: anything JSON holds; paths become text.
        timeout: seconds until it is ended.

    Raises AsideError.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert child.stdin is not None
    try:
        async with asyncio.timeout(timeout):
            child.stdin.write(json.dumps(order, default=str).encode("ascii") + b"\n")
            with contextlib.suppress(ConnectionError):  # it died at once: what it wrote tells
                await child.stdin.drain()
            answer = await _read_to_the_end(child)
    except TimeoutError:
        raise AsideError("It took too long.", "timeout") from None
    finally:
        child.stdin.close()
        if child.returncode is None:
            child.kill()
            await child.wait()
    try:
        told: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise AsideError("The process that was to do it has died.", "died") from None
    if "error" in told:
        raise AsideError(str(told.get("message", "")), str(told["error"]))
    return told


async def _read_to_the_end(child: asyncio.subprocess.Process) -> bytes:
    """All that it writes, once it has ended."""
    assert child.stdout is not None
    try:
        answer = await child.stdout.read()
    except ConnectionError:
        answer = b""
    await child.wait()
    return answer


def serve(obey: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """The child's side: read an order, do it at low priority, answer. Called once, by a `__main__`.

    An AlbumGenError that `obey` raises is answered with its `code` (default "failed") and its message.
    """
    os.nice(_NICENESS)
    order = json.loads(sys.stdin.buffer.readline(_LONGEST_ORDER))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        told = obey(order)
    except AlbumGenError as error:
        told = {"error": error.code or "failed", "message": str(error)}
    except OSError as error:
        told = {"error": "disk", "message": f"It could not be read or written: {error.strerror}."}
    sys.stdout.write(json.dumps(told, default=str))
    sys.stdout.flush()
    # Not the usual way out: the thread holds the input's lock, and waits for a parent that waits for us.
    os._exit(0)


def _end_with_parent() -> NoReturn:
    """Nothing more is written to the pipe; it ends when the parent has gone."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)
