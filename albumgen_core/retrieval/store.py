"""The one module that speaks to Chroma: opening, creating and naming collections, and its errors.

Facts about Chroma 1.5 this rests on: the l2 space returns squared distances; a collection's space cannot
change, and `get_or_create_collection` keeps an old one silently; its default embedding function would
download a model, so None is always passed; `add` ignores known ids, so only `upsert` is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from albumgen_core.engines.base import EMBEDDING_DIMENSIONS
from albumgen_core.errors import IndexUnavailableError

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

DATABASE_NAME = "chroma.sqlite3"
SCHEMA = 1
MAX_BATCH = 5_461
"""Most rows Chroma takes in one upsert (SQLite's variable limit)."""

HNSW: dict[str, Any] = {"space": "l2", "max_neighbors": 48, "ef_construction": 300, "ef_search": 600}
"""The defaults (16, 100, 100) find 57 % of the true neighbours among 26,522 random vectors; these find
all of them among several thousand, and `AlbumIndex` checks the rest."""

_SQLITE_MAGIC = b"SQLite format 3\0"


def collection_name(embedder_name: str) -> str:
    """A legal and unique collection name: readable part, then a hash of the full embedder name."""
    readable = re.sub(r"[^a-zA-Z0-9]+", "-", embedder_name).strip("-")[:40] or "embedder"
    digest = hashlib.sha256(embedder_name.encode()).hexdigest()[:8]
    return f"albums-{readable}-{digest}"


@contextlib.contextmanager
def chroma_errors(directory: Path) -> Iterator[None]:
    """Turn whatever Chroma raises into IndexUnavailableError; nothing is ever deleted."""
    try:
        yield
    except (IndexUnavailableError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except MemoryError as error:
        raise IndexUnavailableError(
            f"The album index at {directory} cannot be opened at the moment: memory ran out."
        ) from error
    except BaseException as error:  # a panic of Chroma's Rust core derives from BaseException
        raise IndexUnavailableError(
            f"The album index at {directory} cannot be read ({_brief(error)}); "
            "move the folder away and run `albumgen index build` again."
        ) from error


def connect(directory: Path) -> Client:
    """A client on the directory, which is created when missing. Raises IndexUnavailableError."""
    import chromadb  # about a second: only those pay who search
    from chromadb.config import Settings

    with chroma_errors(directory):
        client = chromadb.PersistentClient(
            str(directory.absolute()), settings=Settings(anonymized_telemetry=False)
        )
    return cast("Client", client)  # what it is; its declared type lacks close()


def require_database(directory: Path) -> None:
    """Raises IndexUnavailableError when there is no index here, or the file is none."""
    database = directory / DATABASE_NAME
    try:
        with database.open("rb") as file:
            magic = file.read(len(_SQLITE_MAGIC))
    except FileNotFoundError as error:
        raise IndexUnavailableError(
            f"There is no album index at {directory}; make one with `albumgen index build`."
        ) from error
    except OSError as error:
        raise IndexUnavailableError(
            f"The album index at {directory} cannot be read ({error.strerror})."
        ) from error
    if magic != _SQLITE_MAGIC:
        raise IndexUnavailableError(
            f"The album index at {directory} is damaged ({DATABASE_NAME} is no database); "
            "move the folder away and run `albumgen index build` again."
        )


def create_collection(client: Client, embedder_name: str) -> Collection:
    """The embedder's collection, made when it does not exist yet."""
    from chromadb.errors import NotFoundError

    name = collection_name(embedder_name)
    try:
        return client.get_collection(name, embedding_function=None)
    except NotFoundError:
        configuration: Any = {"hnsw": dict(HNSW)}
        return client.create_collection(
            name,
            metadata={"embedder": embedder_name, "dimension": EMBEDDING_DIMENSIONS, "schema": SCHEMA},
            configuration=configuration,
            embedding_function=None,
        )


def find_collection(client: Client, embedder_name: str, directory: Path) -> Collection:
    """The embedder's collection. Raises IndexUnavailableError that names those there are instead."""
    collections = client.list_collections()
    wanted = collection_name(embedder_name)
    for collection in collections:
        if collection.name == wanted:
            check_collection(collection, embedder_name, directory)
            return client.get_collection(wanted, embedding_function=None)
    names = sorted(str((collection.metadata or {}).get("embedder", "?")) for collection in collections)
    if not names:
        raise IndexUnavailableError(
            f"The album index at {directory} is empty; fill it with `albumgen index build`."
        )
    raise IndexUnavailableError(
        f"The album index at {directory} was built with {' and '.join(names)}, not with {embedder_name}; "
        "run `albumgen index build` with the engine you use."
    )


def probe(collection: Collection) -> bool:
    """Whether a query finds anything. It makes Chroma load its vectors and catch up on its log now."""
    query: Any = [[0.0] * EMBEDDING_DIMENSIONS]
    return bool(collection.query(query_embeddings=query, n_results=1)["ids"][0])


def check_collection(collection: Collection, embedder_name: str, directory: Path) -> None:
    """Raises IndexUnavailableError unless name, width, schema and space are the ones expected."""
    metadata: dict[str, Any] = dict(collection.metadata or {})
    found = (metadata.get("embedder"), metadata.get("dimension"), metadata.get("schema"))
    if found != (embedder_name, EMBEDDING_DIMENSIONS, SCHEMA):
        raise IndexUnavailableError(
            f"The album index at {directory} was made by another version of AlbumGen "
            f"(embedder {found[0]}, width {found[1]}, schema {found[2]}); build it again in a new folder."
        )
    space = (collection.configuration.get("hnsw") or {}).get("space")
    if space != "l2":
        raise IndexUnavailableError(
            f"The album index at {directory} measures {space} distance instead of l2; "
            "build it again in a new folder."
        )


def _brief(error: BaseException) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return (first or type(error).__name__)[:160]
