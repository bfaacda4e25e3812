"""Which artifacts are up to date, the order of the stages, and how one job runs."""
