"""The one error of evaluation, for people."""

from __future__ import annotations

from albumgen_core.errors import AlbumGenError


class EvaluationError(AlbumGenError):
    """There is nothing to evaluate; the message is one sentence."""
