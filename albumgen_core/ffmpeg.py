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

from albumgen_core.errors import AlbumGenError


class FfmpegError(AlbumGenError):
    """There is no ffmpeg, or it failed; the message is one plain sentence."""


@lru_cache(maxsize=1)
def program() -> str:
    """Path of the program. Raises FfmpegError."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise FfmpegError("There is no ffmpeg to encode the clip with; reinstall imageio-ffmpeg.") from error


def convert(sound: NDArray[Any], before: Sequence[str], after: Sequence[str | bytes]) -> bytes:
    """What ffmpeg makes of raw samples.

    Args:
        sound: samples, C-contiguous, in the format that `before` names.
        before, after: options of the input and of the output; nothing of ffmpeg's own (version, date, random
            serial number) gets into the output, so the same samples give the same bytes.

    Raises FfmpegError.
    """
    command = [program(), "-hide_banner", "-loglevel", "error", "-nostdin", *before, "-i", "pipe:0"]
    exact = ["-fflags", "+bitexact", "-flags", "+bitexact"]
    try:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as made:
            given.write(np.ascontiguousarray(sound).data)
            given.seek(0)
            subprocess.run(
                [*command, *after, *exact, "pipe:1"],
                stdin=given,
                stdout=made,
                stderr=subprocess.DEVNULL,
                check=True,
            )
            made.seek(0)
            return made.read()
    except (subprocess.CalledProcessError, OSError) as error:
        raise FfmpegError("The sound could not be encoded; please try again.") from error
