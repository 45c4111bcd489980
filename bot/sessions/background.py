"""Tasks that their owner does not wait for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from albumgen_core.errors import InferenceError

log = logging.getLogger(__name__)


class BackgroundTasks:
    """Runs coroutines as tasks; failures are logged. `close` cancels what runs, and nothing new is taken."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run `work` in a task; after `close`, drop it."""
        if self._closed:
            work.close()
            return
        task = asyncio.create_task(_logged(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel what runs, and wait until it has ended."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _logged(work: Coroutine[Any, Any, None], name: str) -> None:
    try:
        await work
    except InferenceError as error:  # closing, or a busy journal: the next start takes it up
        log.warning("%s was put off: %s", name, error)
    except Exception:
        log.exception("%s failed", name)
