"""Tests mirror the tree: where a test lies says which module it tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.paths import REPOSITORY

TESTS = REPOSITORY / "tests"
# Tests of several modules together, and what they hold.
ACROSS_MODULES = {
    "albumgen_core/test_public.py": "what the package offers at its top",
    "albumgen_core/cli/test_neural.py": "the commands with the neural engine",
    "albumgen_core/engines/neural/musicgen/test_quality.py": "int8 beside float32 on trained weights",
    "albumgen_core/engines/neural/musicgen/test_same_music.py": "clips token for token as transformers' own",
    "albumgen_core/engines/neural/test_resumption.py": "killed workers go on where they were",
    "albumgen_core/engines/sketch/test_fidelity.py": "tempo and key as other tools measure them",
    "albumgen_core/inference/test_faults.py": "what the disk and the worker do wrong",
    "albumgen_core/inference/test_fences.py": "late results of superseded runs",
    "albumgen_core/inference/test_two_phases.py": "client and worker, composing while files are written",
    "albumgen_core/retrieval/test_with_clip.py": "index and predictor on the neural embedder",
    "bot/sessions/lifecycle/test_whole_session.py": "a session from start to recap, through a kill",
    "bot/test_event_loop.py": "no callback holds the bot's event loop",
    "bot/test_process.py": "the bot as a process, from a picture to music",
    "cogs/test_session_places.py": "/session on stages, in events, without permissions",
}
FILES = sorted(
    file.relative_to(TESTS).as_posix()
    for package in ("albumgen_core", "bot", "cogs")
    for file in (TESTS / package).rglob("test_*.py")
)


def is_tested_beside(file: str) -> bool:
    """Whether the module or package of a test's name is in the same place, or a helper of the tests."""
    own = Path(file)
    name = own.stem.removeprefix("test_")
    return any(
        (root / own.parent / f"{name}.py").is_file() or (root / own.parent / name).is_dir()
        for root in (REPOSITORY, TESTS)
    )


@pytest.mark.parametrize("file", FILES)
def test_every_test_lies_where_its_module_does(file: str) -> None:
    assert is_tested_beside(file) or file in ACROSS_MODULES, (
        f"tests/{file} names no module there: move it, or say in ACROSS_MODULES what it holds"
    )


def test_the_exceptions_are_there_and_are_exceptions() -> None:
    assert set(ACROSS_MODULES) <= set(FILES)
    assert not [file for file in ACROSS_MODULES if is_tested_beside(file)]
