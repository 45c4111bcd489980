"""What the graphics cards have in use, asked of the driver's own tool (this process never imports torch)."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from dataclasses import dataclass

_QUERY = ("--query-gpu=name,memory.used,memory.total,utilization.gpu", "--format=csv,noheader,nounits")
_PATIENCE = 3.0
"""Seconds to wait for nvidia-smi: it can hang on a card that has fallen off the bus."""


@dataclass(frozen=True, slots=True)
class GraphicsCard:
    """One card.

    Attributes:
        name: as the driver calls it.
        used, total: memory, in bytes.
        load: share of the last sample period in which it was busy, in [0, 1]; None where not told.
    """

    name: str
    used: int
    total: int
    load: float | None


async def graphics_cards() -> list[GraphicsCard]:
    """The machine's NVIDIA cards; [] without any, without their driver, or when it does not answer."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    process = await asyncio.create_subprocess_exec(
        tool, *_QUERY, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            out, _ = await process.communicate()
    except TimeoutError:
        return []
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    return parse_cards(out.decode("utf-8", "replace")) if process.returncode == 0 else []


def parse_cards(table: str) -> list[GraphicsCard]:
    """Read nvidia-smi's lines of `name, MiB used, MiB in all, % busy`; others are passed over."""
    cards = []
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.rsplit(",", 3)]
        if len(cells) != 4 or not (cells[1].isdecimal() and cells[2].isdecimal()):
            continue
        load = int(cells[3]) / 100 if cells[3].isdecimal() else None
        cards.append(GraphicsCard(cells[0], int(cells[1]) * 2**20, int(cells[2]) * 2**20, load))
    return cards
