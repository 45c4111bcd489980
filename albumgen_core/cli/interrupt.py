"""Ctrl-C ends a command in half a second, whatever it is busy with.

Python's own handler runs between two bytecodes of the main thread, which may be seconds away inside a model
or a codec, and at exit waits for every thread. Here a thread that the signal itself wakes ends the process,
after a grace in which the main thread may clean up.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time

GRACE_SECONDS = 0.2
"""Time for the main thread to remove partial files and restore the terminal."""
EXIT_CANCELLED = 130
"""128 + SIGINT, as shells have it."""

_said = threading.Lock()


def say_cancelled() -> None:
    """Write "Cancelled." to stderr, once."""
    if _said.acquire(blocking=False):
        show_cursor = b"\x1b[?25h" if os.isatty(2) else b""
        os.write(2, b"\n" * bool(show_cursor) + b"Cancelled.\n" + show_cursor)


def end_soon_when_interrupted() -> None:
    """Start the thread; from the main thread, once, before the command runs."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def watch() -> None:
        with reader, writer:
            while (number := reader.recv(1)) and number[0] != signal.SIGINT:
                pass
            if number:
                time.sleep(GRACE_SECONDS)
                say_cancelled()
                os._exit(EXIT_CANCELLED)

    threading.Thread(target=watch, name="interrupt", daemon=True).start()
