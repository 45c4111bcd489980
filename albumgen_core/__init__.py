"""AlbumGen's core: from the picture on an album's cover to a clip of music.

Nothing in this package knows Discord; it serves as a library and through the `albumgen` command. What it
offers is in `__all__`, and is imported when it is first used: importing the package itself is cheap, and
torch and transformers load with the neural engine only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from albumgen_core.version import __version__

if TYPE_CHECKING:
    from albumgen_core.albums import Album, Neighbour
    from albumgen_core.attributes.predicted import MusicalAttributes
    from albumgen_core.audio.types import Audio
    from albumgen_core.cover.read import Cover, read_cover
    from albumgen_core.engines.base import Engine
    from albumgen_core.engines.load import load_engine
    from albumgen_core.errors import AlbumGenError
    from albumgen_core.jobs.spec import ClipOptions
    from albumgen_core.pipeline.build import open_pipeline
    from albumgen_core.pipeline.request import ClipRequest
    from albumgen_core.pipeline.stages import Pipeline
    from albumgen_core.result import Take, write_take
    from albumgen_core.retrieval import AlbumIndex, build_index
    from albumgen_core.settings import Settings, load_settings

__all__ = [
    "Album",
    "AlbumGenError",
    "AlbumIndex",
    "Audio",
    "ClipOptions",
    "ClipRequest",
    "Cover",
    "Engine",
    "MusicalAttributes",
    "Neighbour",
    "Pipeline",
    "Settings",
    "Take",
    "__version__",
    "build_index",
    "load_engine",
    "load_settings",
    "open_pipeline",
    "read_cover",
    "write_take",
]

_MODULES = {
    "albums": ("Album", "Neighbour"),
    "attributes.predicted": ("MusicalAttributes",),
    "audio.types": ("Audio",),
    "cover.read": ("Cover", "read_cover"),
    "engines.base": ("Engine",),
    "engines.load": ("load_engine",),
    "errors": ("AlbumGenError",),
    "jobs.spec": ("ClipOptions",),
    "pipeline.build": ("open_pipeline",),
    "pipeline.request": ("ClipRequest",),
    "pipeline.stages": ("Pipeline",),
    "result": ("Take", "write_take"),
    "retrieval": ("AlbumIndex", "build_index"),
    "settings": ("Settings", "load_settings"),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
