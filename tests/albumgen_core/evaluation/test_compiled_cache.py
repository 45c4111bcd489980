from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from albumgen_core.evaluation.compiled_cache import ENVIRONMENT, use_own_cache

HOLD = """
import os, sys
from pathlib import Path
from albumgen_core.evaluation.compiled_cache import ENVIRONMENT, use_own_cache
os.environ.pop(ENVIRONMENT, None)
use_own_cache(Path(sys.argv[1]))
print(os.environ[ENVIRONMENT], flush=True)
sys.stdin.read()
"""


def start(root: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("")
    assert process.returncode == 0


def test_processes_at_the_same_time_have_folders_of_their_own_and_later_ones_use_them_again(
    tmp_path: Path,
) -> None:
    first, one = start(tmp_path)
    second, other = start(tmp_path)
    assert {one, other} == {str(tmp_path / "0"), str(tmp_path / "1")}
    end(first)
    third, again = start(tmp_path)
    assert again == one
    end(second)
    end(third)


def test_a_folder_that_the_environment_names_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "/elsewhere")
    use_own_cache(tmp_path)
    assert list(tmp_path.iterdir()) == []
