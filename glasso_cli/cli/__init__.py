"""The command line: the commands, and what `show` and `init` print."""
