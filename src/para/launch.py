"""The command `para`. What it does takes seconds to import, and Ctrl-C may come in these too."""

from __future__ import annotations

import sys


def main() -> None:
    """As `para.cli.main`, and quiet about Ctrl-C from the first moment."""
    try:
        from para.cli import main as run
    except KeyboardInterrupt:
        print("stopped before anything was done", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
