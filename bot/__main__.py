"""`albumgen-bot`, or `python -m bot`."""

from __future__ import annotations

import sys

from bot.main import run


def main() -> None:
    """Run the bot until it is told to stop."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
