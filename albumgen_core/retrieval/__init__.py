"""The album index: which known covers look like this one, and what do those albums sound like?"""

from albumgen_core.retrieval.build import BuildReport, build_index
from albumgen_core.retrieval.exact import ExactIndex
from albumgen_core.retrieval.index import AlbumIndex, IndexStats, NearestAlbums

__all__ = ["AlbumIndex", "BuildReport", "ExactIndex", "IndexStats", "NearestAlbums", "build_index"]
