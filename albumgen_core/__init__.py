"""AlbumGen's core: from the picture on an album's cover to a clip of music.

Nothing in this package knows Discord; it serves as a library and through the `albumgen` command.
Importing the package itself is cheap: torch and transformers load only inside `engines.neural`.
"""

from albumgen_core.version import __version__

__all__ = ["__version__"]
