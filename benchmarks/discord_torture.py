"""Kill bot and workers at random while people ask and Discord misbehaves; say what was lost or told twice.

    python -m benchmarks.discord_torture [--jobs 500] [--kills 200] [--seed 1]

The unmodified bot runs as its own process against a Discord on loopback that answers 429 and 502, cuts
connections before and after it has processed a request, and drops the gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.bot.torture import Torture


def main() -> int:
    """Torture, then tell; the exit status says whether all was well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=500, help="requests to be acknowledged")
    parser.add_argument("--kills", type=int, default=200, help="processes to be killed")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        torture = Torture(Path(home), options.seed)
        report = asyncio.run(torture.run(jobs=options.jobs, kills=options.kills))
    for line in report.lines():
        print(line)
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
