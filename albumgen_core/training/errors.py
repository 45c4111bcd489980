"""The one error of training, for people."""

from __future__ import annotations

from albumgen_core.errors import AlbumGenError


class TrainingError(AlbumGenError):
    """Training cannot start, go on, or be of use; the message is one sentence."""
