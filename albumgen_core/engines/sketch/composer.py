"""The sketch family's Composer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from albumgen_core.audio.types import Audio
from albumgen_core.engines.base import (
    CancelCheck,
    ComposeRequest,
    FractionCallback,
    ignore_progress,
    never_cancelled,
)
from albumgen_core.engines.sketch.arrangement import arrange
from albumgen_core.engines.sketch.brief import Brief
from albumgen_core.engines.sketch.continuation import play_on
from albumgen_core.engines.sketch.render import SAMPLE_RATE, grouped, render, score_as_midi, stems_of
from albumgen_core.engines.sketch.soundfont import find_soundfont, load_bank
from albumgen_core.engines.sketch.texture import UNKNOWN, texture_of

LONGEST_SECONDS = 3600.0


class SketchComposer:
    """Arranges a piece from the attributes alone and performs it: no weights, no GPU.

    The same request with the same seed gives the same samples, in any process on the same machine.
    Raises EngineUnavailableError when made without a SoundFont, or with a file that is none.
    """

    def __init__(self, soundfont: Path | None = None) -> None:
        self._soundfont = find_soundfont(soundfont).path
        load_bank(self._soundfont)

    @property
    def name(self) -> str:
        """What is shown as the source of the music."""
        return "sketch-band-v3"

    @property
    def sample_rate(self) -> int:
        """48,000 Hz."""
        return SAMPLE_RATE

    def compose(
        self,
        requests: Sequence[ComposeRequest],
        *,
        on_progress: FractionCallback = ignore_progress,
        is_cancelled: CancelCheck = never_cancelled,
    ) -> list[Audio | None]:
        """Compose a batch, one clip after the other; a clip's samples are float32 (2, n) in [-1, 1].

        Raises ValueError for a length that is not positive, or beyond an hour.
        """
        for request in requests:
            if not 0 < request.seconds <= LONGEST_SECONDS:
                raise ValueError(
                    f"seconds must be above 0 and at most {LONGEST_SECONDS:.0f}, not {request.seconds}"
                )
        clips: list[Audio | None] = []
        for position, request in enumerate(requests):
            on_progress(position / len(requests))
            clips.append(None if is_cancelled(position) else self._compose_one(request))
        on_progress(1.0)
        return clips

    def _compose_one(self, request: ComposeRequest) -> Audio:
        texture = texture_of(request.cover) if request.cover is not None else UNKNOWN
        brief = Brief.of(request.attributes, request.seed, texture)
        if request.continue_from is not None:
            return play_on(brief, self._soundfont, request.continue_from, request.seconds)
        piece = arrange(brief, request.seconds)
        stems = grouped(stems_of(piece, self._soundfont)) if request.stems else {}
        return Audio(render(piece, self._soundfont), SAMPLE_RATE, midi=score_as_midi(piece), stems=stems)
