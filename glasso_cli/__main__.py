"""``python -m glasso_cli``."""

from glasso_cli.cli.app import main

main()
