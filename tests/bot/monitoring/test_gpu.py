from __future__ import annotations

from pathlib import Path

import pytest

from bot.monitoring.gpu import GraphicsCard, graphics_cards, parse_cards

TABLE = """NVIDIA H200, 1312, 143771, 17
NVIDIA GeForce RTX 4090, 24000, 24564, [N/A]
Failed to initialize NVML: Unknown Error
NVIDIA A100-SXM4-40GB MIG, [Insufficient Permissions], 40960, 3
"""


def test_cards_are_read_and_what_cannot_be_read_is_passed_over() -> None:
    assert parse_cards(TABLE) == [
        GraphicsCard("NVIDIA H200", 1312 * 2**20, 143771 * 2**20, 0.17),
        GraphicsCard("NVIDIA GeForce RTX 4090", 24000 * 2**20, 24564 * 2**20, None),
    ]


async def test_the_drivers_own_tool_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA L4, 100, 23034, 0'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert await graphics_cards() == [GraphicsCard("NVIDIA L4", 100 * 2**20, 23034 * 2**20, 0.0)]
    tool.write_text("#!/bin/sh\necho 'No devices were found'\nexit 6\n")
    assert await graphics_cards() == []
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert await graphics_cards() == []
