"""How one layer writes and the next one reads: linear maps and norms, found by what the modules compute."""
