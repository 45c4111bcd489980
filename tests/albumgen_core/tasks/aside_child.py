"""What `test_aside` runs aside."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from albumgen_core.errors import AsideError
from albumgen_core.tasks.child import serve


def obey(order: Mapping[str, Any]) -> dict[str, Any]:
    match order["do"]:
        case "refuse":
            raise AsideError("That is too much.", "too_much")
        case "read":
            Path("/no/such/file").read_bytes()
        case "crash":
            raise ZeroDivisionError
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "wait":
            Path(order["mark"]).write_text(str(os.getpid()))
            time.sleep(60)
    return {"path": order["path"]}


if __name__ == "__main__":
    serve(obey)
