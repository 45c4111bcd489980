"""How fast is the album index, and how often would Chroma alone have missed a neighbour?

    python benchmarks/album_index.py [--albums 5000] [--kind random|clustered]

Prints ratios measured in one run: AlbumIndex (Chroma, checked exactly) against Chroma alone and against
the exact search alone, and recall with the settings AlbumGen uses and with Chroma's defaults.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from albumgen_core.albums import Album
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.retrieval import AlbumIndex, ExactIndex, store
from albumgen_core.retrieval.writer import Entry, IndexWriter

QUERIES = 200
K = 5


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rows scaled to unit length."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def make_vectors(count: int, kind: str) -> NDArray[np.float32]:
    """Random directions, or 200 clusters of them, as embeddings of covers are."""
    rng = np.random.default_rng(0)
    if kind == "random":
        return unit(rng.normal(size=(count, 512)))
    centres = rng.normal(size=(200, 512))
    return unit(centres[rng.integers(200, size=count)] + 0.4 * rng.normal(size=(count, 512)))


def an_album(number: int) -> Album:
    """A made-up album."""
    measured = MeasuredAttributes(artist_name="Nobody", **dict.fromkeys(AUDIO_FEATURES, 0.5))
    return Album(f"album-{number}", f"Title {number}", "Nobody", measured)


def median_ms(ask: Callable[[NDArray[np.float32]], object], queries: NDArray[np.float32]) -> float:
    """Median milliseconds of one question."""
    ask(queries[0])
    times = []
    for query in queries:
        started = time.perf_counter()
        ask(query)
        times.append(time.perf_counter() - started)
    return float(np.median(times)) * 1e3


def measure(vectors: NDArray[np.float32], queries: NDArray[np.float32], directory: Path) -> None:
    """Write, ask and print, with the HNSW settings in force."""
    albums = [an_album(number) for number in range(len(vectors))]
    started = time.perf_counter()
    with IndexWriter(directory, "benchmark") as writer:
        for start in range(0, len(albums), 1000):
            stop = start + 1000
            writer.upsert([Entry(a, v) for a, v in zip(albums[start:stop], vectors[start:stop], strict=True)])
    written = time.perf_counter() - started
    exact = ExactIndex(albums, vectors)
    started = time.perf_counter()
    with AlbumIndex.open(directory, embedder_name="benchmark") as index:
        index.nearest(queries[0])
        first = time.perf_counter() - started
        hits = 0
        for query in queries:
            alone = {n.album.album_id for n in index._approximate(query, K, (), ())}
            hits += len(alone & {n.album.album_id for n in exact.nearest(query, K)})
        chroma = median_ms(lambda query: index._approximate(query, K, (), ()), queries)
        checked = median_ms(lambda query: index.nearest(query, K), queries)
    scan = median_ms(lambda query: exact.nearest(query, K), queries)
    print(f"  written {len(albums) / written:6.0f} albums/s; open and first query {first:.2f} s")
    print(f"  query: checked {checked:.2f} ms = {checked / chroma:.2f} x Chroma alone ({chroma:.2f} ms)")
    print(f"         checked = {checked / scan:.2f} x exact alone ({scan:.2f} ms)")
    print(f"  recall@{K}: Chroma alone {hits / (K * len(queries)):.3f}, checked 1.000 by construction")


def main() -> None:
    """Measure with AlbumGen's settings and with Chroma's defaults."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--albums", type=int, default=5_000)
    parser.add_argument("--kind", choices=("random", "clustered"), default="random")
    options = parser.parse_args()
    vectors = make_vectors(options.albums, options.kind)
    rng = np.random.default_rng(1)
    queries = unit(vectors[rng.integers(len(vectors), size=QUERIES)] + 0.02 * rng.normal(size=(QUERIES, 512)))
    chosen = dict(store.HNSW)
    for name, settings in (("AlbumGen's settings", chosen), ("Chroma's defaults", {"space": "l2"})):
        print(f"{name}: {options.albums:,} {options.kind} vectors")
        store.HNSW.clear()
        store.HNSW.update(settings)
        with tempfile.TemporaryDirectory() as folder:
            measure(vectors, queries, Path(folder))


if __name__ == "__main__":
    main()
