"""``python -m glasso_cli``."""

from glasso_cli.cli import main

main()
