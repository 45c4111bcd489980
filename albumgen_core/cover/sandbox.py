"""Runs the decoding child for one picture and believes nothing it says."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import PIL
from PIL import Image

from albumgen_core.cover.errors import refusal
from albumgen_core.cover.header import PictureKind
from albumgen_core.errors import COVER_MESSAGES, CoverError

log = logging.getLogger(__name__)

_SCRIPT = Path(__file__).with_name("_sandbox_child.py")
_PILLOW_HOME = Path(PIL.__file__).parent.parent
# What a dynamic linker may need to find libpython and libc; tokens and paths stay out of the child.
_KEPT_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
_LONGEST_LINE = 1024


class DecodingChild:
    """One picture's decoding: `run` in any thread, `kill` from any other.

    Args:
        kind: what the picture is, by content; no other decoder is tried.
        max_pixels, max_side, memory_bytes, cpu_seconds, wall_seconds: see `cover.CoverLimits`.
    """

    def __init__(
        self,
        kind: PictureKind,
        *,
        max_pixels: int,
        max_side: int,
        memory_bytes: int,
        cpu_seconds: int,
        wall_seconds: float,
    ) -> None:
        numbers = (max_pixels, max_side, memory_bytes, cpu_seconds, math.ceil(wall_seconds))
        self._command = [sys.executable, "-I", "-S", "-B", str(_SCRIPT), str(_PILLOW_HOME), kind]
        self._command += map(str, numbers)
        self._max_pixels = max_pixels
        self._max_side = max_side
        self._wall_seconds = wall_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._timed_out = False

    @property
    def pid(self) -> int | None:
        """The child's process id, once it runs."""
        return self._process.pid if self._process is not None else None

    def kill(self) -> None:
        """End the child at once; harmless before it started and after it ended."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                # Popen.kill looks whether the process was reaped already, so no other can be hit.
                self._process.kill()

    def run(self, data: bytes) -> Image.Image:
        """Decode: RGB, upright, at most `max_side` a side. Blocks. Raises CoverError."""
        with self._lock:
            if self._killed:
                raise refusal("crashed")
            try:
                self._process = process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env={name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ},
                    cwd=_SCRIPT.anchor,
                    bufsize=0,
                )
            except OSError as error:
                log.error("No process for decoding a cover: %s", error)
                raise refusal("unavailable") from error
        clock = threading.Timer(self._wall_seconds, self._time_out)
        clock.daemon = True
        clock.start()
        try:
            reply = self._converse(process, data)
        finally:
            clock.cancel()
            process.kill()
            status = process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    # Closing flushes what a dead child never took.
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
        return self._understood(reply, status)

    def _time_out(self) -> None:
        self._timed_out = True
        self.kill()

    def _converse(self, process: subprocess.Popen[bytes], data: bytes) -> bytes:
        """Give the child its picture and take its answer, never more than an answer can have."""
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the child was started without pipes")
        with contextlib.suppress(BrokenPipeError):
            view = memoryview(data)
            while view:
                view = view[process.stdin.write(view) :]
            process.stdin.close()
        most = _LONGEST_LINE + 3 * self._max_side**2
        reply = bytearray()
        while len(reply) <= most:
            part = process.stdout.read(min(2**20, most + 1 - len(reply)))
            if not part:
                break
            reply += part
        # The answer is whole once the pipe ends; give the child its moment to end too.
        if len(reply) <= most:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.1, self._wall_seconds))
        return bytes(reply)

    def _understood(self, reply: bytes, status: int) -> Image.Image:
        line, _, pixels = reply.partition(b"\n")
        words = line[:_LONGEST_LINE].decode("utf-8", "replace").split(" ", 4)
        if words[0] == "no" and len(words) >= 4 and words[1] in COVER_MESSAGES:
            if len(words) > 4:
                log.info("A cover was refused: %s", words[4][:200])
            raise self._refused(words[1], words[2], words[3])
        if words[0] == "ok" and len(words) == 3 and words[1].isdecimal() and words[2].isdecimal():
            width, height = int(words[1][:9]), int(words[2][:9])
            right_size = 0 < width <= self._max_side and 0 < height <= self._max_side
            if right_size and len(pixels) == 3 * width * height:
                return Image.frombytes("RGB", (width, height), pixels)
        if self._timed_out or status == -getattr(signal, "SIGXCPU", 24):
            raise refusal("too_slow")
        log.warning("A decoding child ended with status %d and %d bytes", status, len(reply))
        raise refusal("crashed")

    def _refused(self, code: str, width: str, height: str) -> CoverError:
        if code == "too_many_pixels" and width.isdecimal() and height.isdecimal():
            return refusal(
                code,
                width=int(width[:9]),
                height=int(height[:9]),
                limit=self._max_pixels // 10**6,
            )
        try:
            return refusal(code)
        except KeyError:  # a sentence that needs what the child cannot tell
            return refusal("damaged")
