"""The ffmpeg that comes with the `imageio-ffmpeg` wheel, so that no program need be installed.

Sound goes in and out by unnamed files, not by pipes: once it has begun, an encoder waits for nobody, whatever
this process is busy with.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from albumgen_core.errors import FfmpegError

_FAILED = "The sound could not be encoded; please try again."


@lru_cache(maxsize=1)
def program() -> str:
    """Path of the program. Raises FfmpegError."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise FfmpegError("There is no ffmpeg to encode the clip with; reinstall imageio-ffmpeg.") from error


class Conversion:
    """A child that turns raw samples into a file's bytes. It has begun when this is made.

    Args:
        sound: samples in the format that `before` names.
        before, after: options of the input and of the output; nothing of ffmpeg's own (version, date, random
            serial number) gets into the output, so the same samples give the same bytes.

    Raises FfmpegError.
    """

    def __init__(self, sound: NDArray[Any], before: Sequence[str], after: Sequence[str | bytes]) -> None:
        command = [program(), "-hide_banner", "-loglevel", "error", "-nostdin", *before, "-i", "pipe:0"]
        exact = ["-fflags", "+bitexact", "-flags", "+bitexact"]
        try:
            self._made = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
            with tempfile.TemporaryFile() as given:
                given.write(np.ascontiguousarray(sound).data)
                given.seek(0)
                self._child = subprocess.Popen(
                    [*command, *after, *exact, "pipe:1"],
                    stdin=given,
                    stdout=self._made,
                    stderr=subprocess.DEVNULL,
                )
        except OSError as error:
            raise FfmpegError(_FAILED) from error

    def result(self) -> bytes:
        """Wait for the output; called once. Raises FfmpegError."""
        try:
            if self._child.wait() != 0:
                raise FfmpegError(_FAILED)
            self._made.seek(0)
            return self._made.read()
        except OSError as error:
            raise FfmpegError(_FAILED) from error
        finally:
            self.close()

    def close(self) -> None:
        """End the child if it still works."""
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        self._made.close()
