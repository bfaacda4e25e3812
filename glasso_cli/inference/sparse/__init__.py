"""The same statistics from values that are mostly zero, without a matrix of all pairs."""
