"""Children that are killed, that take too long, whose parent dies, and that fail."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from albumgen_core.errors import TaskError
from albumgen_core.tasks.child import run_task
from tests.waiting import eventually, eventually_blocking

CHILD = f"{__name__.rpartition('.')[0]}.task_child"


def running(mark: Path) -> bool:
    """Whether the child that wrote its id to `mark` is still there."""
    pid = int(mark.read_text())
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def begun(mark: Path) -> bool:
    return mark.exists() and mark.read_text() != ""


async def test_the_answer_comes_back(tmp_path: Path) -> None:
    assert await run_task(CHILD, {"do": "echo", "path": tmp_path}, 20) == {"path": str(tmp_path)}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"do": "refuse"}, "too_much"),
        ({"do": "read"}, "disk"),
        ({"do": "crash"}, "died"),
        ({"do": "die"}, "died"),
        ({"do": "echo", "path": "x" * 2**22}, "too_large"),
    ],
)
async def test_what_goes_wrong_is_told(payload: dict[str, str], code: str) -> None:
    with pytest.raises(TaskError) as raised:
        await run_task(CHILD, payload, 20)
    assert raised.value.code == code
    assert str(raised.value).endswith(".")


async def test_a_child_that_takes_too_long_or_is_not_waited_for_ends(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    payload = {"do": "wait", "mark": mark}
    waiting = asyncio.create_task(run_task(CHILD, payload, 60))
    await eventually(lambda: begun(mark))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not running(mark)
    with pytest.raises(TaskError) as raised:
        await run_task(CHILD, payload, 0.05)
    assert raised.value.code == "timeout"


def test_a_child_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = (
        "import asyncio; from albumgen_core.tasks.child import run_task; "
        f"asyncio.run(run_task({CHILD!r}, {{'do': 'wait', 'mark': {str(mark)!r}}}, 60))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        eventually_blocking(lambda: begun(mark))
        os.kill(parent.pid, signal.SIGKILL)
        eventually_blocking(lambda: not running(mark))
    finally:
        parent.kill()
        parent.wait()
