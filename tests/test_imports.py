"""Which room may know which: cogs → bot → albumgen_core, and no torch in the Discord process."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {
    "torch",
    "transformers",
    "peft",
    "chromadb",
    "scipy",
    "librosa",
    "symusic",
    "onnxruntime",
    "rapidocr",
    "cv2",
}

LOAD_AND_TELL = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({module.partition(".")[0] for module in sys.modules})))
"""


def loaded_by(*modules: str) -> set[str]:
    """Top-level packages in a fresh interpreter after it has imported `modules`."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD_AND_TELL, *modules], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


def modules_of(package: str) -> list[str]:
    names = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in sorted((ROOT / package).rglob("*.py"))
    ]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def imports_in(file: Path) -> Iterator[str]:
    """Every module that a file names in an import, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def offenders(package: str, forbidden: set[str]) -> list[str]:
    return [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted((ROOT / package).rglob("*.py"))
        for name in imports_in(file)
        if name.partition(".")[0] in forbidden
    ]


def test_the_discord_process_loads_neither_torch_nor_any_engine() -> None:
    loaded = loaded_by("bot.main", *modules_of("bot"), *modules_of("cogs"))
    assert "discord" in loaded, "the check itself works"
    assert loaded & HEAVY == set()


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("albumgen_core", {"discord", "bot", "cogs"}),
        ("bot", {"cogs", *HEAVY}),
        ("cogs", HEAVY),
    ],
)
def test_each_room_imports_only_from_the_rooms_to_its_right(package: str, forbidden: set[str]) -> None:
    assert offenders(package, forbidden) == []


def test_the_command_line_and_the_worker_run_without_discord() -> None:
    loaded = loaded_by(
        "albumgen_core.cli.main", "albumgen_core.inference.client", "albumgen_core.worker.runner"
    )
    assert "discord" not in loaded
    assert "torch" not in loaded, "torch loads with the neural engine only"
