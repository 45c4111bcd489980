"""The sketch family: picture statistics to attributes, attributes to an arrangement; no weights, no GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from albumgen_core.engines.base import Engine


def load_engine() -> Engine:
    """The engine, ready to work. Raises EngineUnavailableError where its SoundFont is missing."""
    # Imported here: scipy takes most of a second, and parts of this package are used without.
    from albumgen_core.engines.base import Engine
    from albumgen_core.engines.sketch.composer import SketchComposer
    from albumgen_core.engines.sketch.embedding import PaletteEmbedder
    from albumgen_core.engines.sketch.palette import PaletteDescriber

    return Engine("sketch", PaletteEmbedder(), PaletteDescriber(), SketchComposer())
