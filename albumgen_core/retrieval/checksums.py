"""A seal on a finished index: sizes and digests of Chroma's vector files.

Chroma loads its HNSW files without checking them, and a torn one is no exception but a crash of the whole
process. So a writer breaks the seal when it opens a directory and sets it when it is done, and nobody
loads vectors whose seal is broken. Where a writer was killed, the next one tries the files in a child
process before it trusts them.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from albumgen_core.errors import IndexUnavailableError
from albumgen_core.files import write_durably

SEAL = "seal.json"
_WRITTEN = "index_metadata.pickle"
"""Chroma writes this file last, when it writes a segment's vectors at all."""
_PROBE_SECONDS = 300
_PROBE = """
import sys, chromadb
from chromadb.config import Settings
client = chromadb.PersistentClient(sys.argv[1], settings=Settings(anonymized_telemetry=False))
for collection in client.list_collections():
    found = client.get_collection(collection.name, embedding_function=None)
    if found.count():
        found.query(query_embeddings=[[0.0] * found.metadata["dimension"]], n_results=1)
        found.get(include=["embeddings"], limit=1)
"""


def set_seal(directory: Path) -> None:
    """Note down the vector files as they are now. Call it once Chroma has closed."""
    write_durably(directory / SEAL, json.dumps(_digests(directory), indent=1).encode(), private=False)


def break_seal(directory: Path) -> None:
    """Say that the directory is being written."""
    (directory / SEAL).unlink(missing_ok=True)


def is_sealed(directory: Path) -> bool:
    """Whether the last writer finished."""
    return (directory / SEAL).exists()


def check_seal(directory: Path) -> None:
    """Raises IndexUnavailableError when the seal is missing or a vector file is not as it was."""
    try:
        noted = json.loads((directory / SEAL).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise IndexUnavailableError(
            f"The album index at {directory} was left unfinished; run the same `albumgen index build` again."
        ) from error
    except (OSError, ValueError) as error:
        raise IndexUnavailableError(damage(directory, f"{SEAL} cannot be read")) from error
    found = _digests(directory)
    for name in sorted({*noted, *found}):
        if noted.get(name) != found.get(name):
            raise IndexUnavailableError(damage(directory, f"{name} is not as it was written"))


def try_in_child(directory: Path) -> None:
    """Load everything in a child process. Raises IndexUnavailableError when it fails or crashes there."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE, str(directory.absolute())],
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise IndexUnavailableError(damage(directory, "it does not open")) from error
    if done.returncode != 0:
        raise IndexUnavailableError(damage(directory, "an interrupted build tore its vectors"))


def damage(directory: Path, what: str) -> str:
    """The sentence for a damaged index."""
    return (
        f"The album index at {directory} is damaged ({what}); "
        "move the folder away and run `albumgen index build` again."
    )


def _digests(directory: Path) -> dict[str, str]:
    """Digests of the vector files by their path below `directory`.

    A segment below a thousand vectors has no metadata file yet: its vectors are in the SQLite log, and its
    other files are scratch that Chroma makes anew on every opening.
    """
    found = {}
    for segment in sorted(path.parent for path in directory.glob(f"*/{_WRITTEN}")):
        for path in sorted(segment.iterdir()):
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "blake2b").hexdigest()[:32]
            found[path.relative_to(directory).as_posix()] = digest
    return found
