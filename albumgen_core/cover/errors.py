"""Why a picture is refused: one code, one sentence and its numbers for each reason."""

from __future__ import annotations

from albumgen_core.errors import COVER_MESSAGES, CoverError


def refusal(code: str, **params: str | int) -> CoverError:
    """The CoverError of a code. Raises KeyError for a code, or a parameter, that is not known."""
    return CoverError(COVER_MESSAGES[code].format(**params), code=code, params=params)
