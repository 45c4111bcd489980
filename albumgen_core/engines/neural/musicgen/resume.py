"""A clip's tokens on disk while it is being composed, so that a killed worker goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

SAVE_FRAMES = 100
"""Frames between two saves: at most two seconds of music are composed twice."""


def fingerprint(**settings: object) -> str:
    """A name for everything that decides which tokens are drawn."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


class TokenFile:
    """The saved tokens of one clip."""

    def __init__(self, path: Path, identity: str) -> None:
        self._path, self._identity = path, identity
        self._saved = 0

    def load(self, codebooks: int) -> NDArray[np.int16] | None:
        """Tokens (codebooks, frames) saved for this very clip, or None; never raises for a bad file."""
        try:
            with np.load(self._path, allow_pickle=False) as saved:
                if str(saved["identity"]) != self._identity:
                    return None
                tokens: NDArray[np.int16] = saved["tokens"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            log.warning("The saved tokens in %s cannot be used, composing anew: %s", self._path, error)
            return None
        if tokens.ndim != 2 or tokens.shape[0] != codebooks or tokens.dtype != np.int16:
            return None
        self._saved = tokens.shape[1]
        return tokens

    def save(self, tokens: NDArray[np.int16], *, last: bool = False) -> None:
        """Replace what is saved, whole or not at all, once SAVE_FRAMES more are known (or it is the last)."""
        if tokens.shape[1] - self._saved < (1 if last else SAVE_FRAMES):
            return
        partial = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        try:
            with partial.open("wb") as file:
                np.savez(file, identity=np.array(self._identity), tokens=tokens)
            partial.replace(self._path)
            self._saved = tokens.shape[1]
        except OSError as error:  # a full disk must not cost the clip that is being composed
            log.warning("The tokens composed so far cannot be saved: %s", error)
            partial.unlink(missing_ok=True)
