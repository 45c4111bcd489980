"""Short tasks in a child process: work that would block an event loop, or load what its process must not.

The parent runs `python -m <module>` through `run_task` and hands it a payload, one JSON object; the module
calls `serve`. The pipe of the payload stays open: when the parent dies, however it dies, the pipe closes and
the child ends too.
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

from albumgen_core.errors import AlbumGenError, TaskError

_NICENESS = 10
_LONGEST_PAYLOAD = 2**22


async def run_task(
    module: str,
    payload: Mapping[str, Any],
    timeout: float,  # noqa: ASYNC109 - the child must be ended, not only left
) -> dict[str, Any]:
    """The child's response. It has ended when this returns or raises, also by cancellation.

    Args:
        module: its `__main__` calls `serve`.
        payload: anything JSON holds, up to 4 MiB; paths become text.
        timeout: seconds until it is ended.

    Raises TaskError.
    """
    line = json.dumps(payload, default=str).encode("ascii") + b"\n"
    if len(line) > _LONGEST_PAYLOAD:
        raise TaskError(f"The payload has {len(line)} bytes, more than {_LONGEST_PAYLOAD}.", "too_large")
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
            child.stdin.write(line)
            with contextlib.suppress(ConnectionError):  # it died at once: what it wrote tells
                await child.stdin.drain()
            answer = await _read_to_the_end(child)
    except TimeoutError:
        raise TaskError("It took too long.", "timeout") from None
    finally:
        child.stdin.close()
        if child.returncode is None:
            child.kill()
            await child.wait()
    try:
        response: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise TaskError("The process that was to do it has died.", "died") from None
    if "error" in response:
        raise TaskError(str(response.get("message", "")), str(response["error"]))
    return response


async def _read_to_the_end(child: asyncio.subprocess.Process) -> bytes:
    """All that it writes, once it has ended."""
    assert child.stdout is not None
    try:
        answer = await child.stdout.read()
    except ConnectionError:
        answer = b""
    await child.wait()
    return answer


def serve(handle: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """The child's side: read a payload, do it at low priority, answer. Called once, by a `__main__`.

    An AlbumGenError that `handle` raises is answered with its `code` (default "failed") and its message.
    """
    os.nice(_NICENESS)
    payload = json.loads(sys.stdin.buffer.readline(_LONGEST_PAYLOAD))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        response = handle(payload)
    except AlbumGenError as error:
        response = {"error": error.code or "failed", "message": str(error)}
    except OSError as error:
        response = {"error": "disk", "message": f"It could not be read or written: {error.strerror}."}
    sys.stdout.write(json.dumps(response, default=str))
    sys.stdout.flush()
    # Not the usual way out: the thread holds the input's lock, and waits for a parent that waits for us.
    os._exit(0)


def _end_with_parent() -> NoReturn:
    """Nothing more is written to the pipe; it ends when the parent has gone."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)
