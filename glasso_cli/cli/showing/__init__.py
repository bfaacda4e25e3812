"""What `show` prints of every file, and `audit` of its results."""
