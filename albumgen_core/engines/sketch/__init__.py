"""The sketch family: picture statistics to attributes, attributes to an arrangement; no weights, no GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from albumgen_core.engines.base import Engine


def load_engine(soundfont: Path | None = None) -> Engine:
    """The engine, ready to work; it plays with the SoundFont given, else with the best one installed.

    Raises EngineUnavailableError where there is none, or the file given is none.
    """
    # Imported here: scipy takes most of a second, and parts of this package are used without.
    from albumgen_core.engines.base import Engine
    from albumgen_core.engines.sketch.composer import SketchComposer
    from albumgen_core.engines.sketch.embedding import PaletteEmbedder
    from albumgen_core.engines.sketch.palette import PaletteDescriber

    return Engine("sketch", PaletteEmbedder(), PaletteDescriber(), SketchComposer(soundfont))
