"""What the package offers at its top, and the README's example of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import albumgen_core
from albumgen_core.audio.encode import decode_mp3

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", albumgen_core.__all__)
def test_every_public_name_is_there_under_its_own_name(name: str) -> None:
    found = getattr(albumgen_core, name)
    assert name == "__version__" or found.__name__ == name


def test_nothing_else_is() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = albumgen_core.nonsense
    assert dir(albumgen_core) == sorted(albumgen_core.__all__)


def test_the_readmes_example_makes_an_mp3_in_six_lines(example_covers: list[Path], tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    [example] = re.findall(r"```python\n(.*?from albumgen_core import.*?)```", readme, flags=re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) == 6
    shutil.copy(example_covers[0], tmp_path / "cover.png")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", example], cwd=tmp_path, env=environment, check=True, timeout=120)
    assert abs(decode_mp3(tmp_path / "clip.mp3").seconds - 10) < 0.1


def test_importing_the_package_loads_nothing_else() -> None:
    ask = "import sys, albumgen_core; print([n for n in sys.modules if n.startswith('albumgen_core.')])"
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['albumgen_core.version']"
