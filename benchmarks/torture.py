"""Kill the client and its workers at random for a while, and report what was lost or told twice.

python -m benchmarks.torture [--seconds 120] [--requests 900] [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.albumgen_core.inference.torture import Driver


def main() -> int:
    """Torture, then tell; the exit status says whether all was well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="how long to kill")
    parser.add_argument("--requests", type=int, default=900)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        driver = Driver(Path(home), options.seed)
        report = asyncio.run(driver.run(options.seconds, options.requests, patience=600.0))
    print(f"requests             {report.requests}, of which answered {sum(report.states.values())}")
    print(f"answers              {dict(report.states)}")
    print(f"client kills (-9)    {report.client_kills}")
    print(f"worker kills (-9)    {report.worker_kills}")
    print(
        f"replies refused      {report.refused_sends} (429), posted but reported lost"
        f" {report.ambiguous_sends} (502)"
    )
    print(f"requests replayed    {report.replays}")
    print(f"all answered         {report.drained_after:.1f} s after the last kill")
    print(f"lost                 {len(report.lost)} {report.lost[:10]}")
    print(f"answered twice       {len(report.twice)} {report.twice[:10]}")
    print(f"wrong answers        {len(report.wrong)} {report.wrong[:5]}")
    for words in driver.failures[:3]:
        print(f"the client broke by itself:\n{words}")
    return 0 if report.clean and not driver.failures else 1


if __name__ == "__main__":
    sys.exit(main())
