"""``glasso`` and ``python -m glasso_cli``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is still being imported ends it like any other."""
    try:
        from glasso_cli.cli.app import main as run

        run()
    except KeyboardInterrupt:
        print("error: Interrupted.", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
