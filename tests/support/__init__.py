"""What tests share: planted data, tiny models, runs of the command line."""
